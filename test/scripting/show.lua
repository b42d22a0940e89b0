-- Makes texts of the results of an expression or of statements, so that two interpreters can be
-- compared. The source stands in front of this file as `local source = "…"`.
local function show(value, depth)
  local kind = type(value)
  if kind == 'string' then
    return '"' .. value:gsub('[^%w%p ]', function(c) return ('\\%d'):format(c:byte()) end) .. '"'
  elseif kind == 'number' then
    if value ~= value then return 'nan' end
    return ('%.17g'):format(value)
  elseif kind == 'table' then
    if depth > 20 then return '{...}' end
    local parts, length = {}, #value
    for i = 1, length do parts[i] = show(value[i], depth + 1) end
    local fields = {}
    for k, v in pairs(value) do
      if not (type(k) == 'number' and k >= 1 and k <= length and k % 1 == 0) then
        fields[#fields + 1] = '[' .. show(k, depth + 1) .. ']=' .. show(v, depth + 1)
      end
    end
    table.sort(fields)
    for _, field in ipairs(fields) do parts[#parts + 1] = field end
    return '{' .. table.concat(parts, ', ') .. '}'
  elseif kind == 'userdata' and value == cjson.null then
    return 'null'
  end
  return kind == 'nil' and 'nil' or kind == 'boolean' and tostring(value) or kind
end
local run, problem = loadstring('return ' .. source, '=s')
if not run then run, problem = loadstring(source, '=s') end
if not run then return 'cannot compile: ' .. problem end
local results = {pcall(run)}
local texts = {}
for i = 2, select('#', unpack(results)) > 1 and #results or 1 do
  texts[#texts + 1] = show(results[i], 0)
end
return (results[1] and '' or 'error: ') .. table.concat(texts, ' | ')
