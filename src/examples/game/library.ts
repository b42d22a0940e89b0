// The rules of the game, as a library of functions in Flagstone. A move is one call, so it is
// atomic: two players never take the same gem. Pages can call these functions and nothing else.
//
//   game:players   hash   id -> 'x y', and each field expires when its player is silent
//   game:secrets   hash   id -> what its page must know to move it; expires likewise
//   game:names     hash   id -> 'colour name'
//   game:gems      hash   'x y' -> what it is worth
//   game:board     zset   id by score
//   game:events    channel of 'm id x y', 'j id x y colour name', 's id score', 'g x y worth' and
//                  't x y': moved, joined, scored, a gem came, a gem was taken

export const WIDTH = 24;
export const HEIGHT = 14;

export const LIBRARY = `#!lua name=game
local WIDTH, HEIGHT, GEMS = ${WIDTH}, ${HEIGHT}, 16
local ALIVE_MS = 20000
local PLAYERS, SECRETS, NAMES = 'game:players', 'game:secrets', 'game:names'
local KEEP, BOARD, EVENTS = 'game:gems', 'game:board', 'game:events'

-- Chance comes from the clock: the generator of scripts begins with the same number each time.
local seed = nil
local function chance(most)
  if seed == nil then
    local time = redis.call('TIME')
    seed = (tonumber(time[1]) % 1000) * 1000000 + tonumber(time[2])
  end
  seed = (seed * 16807) % 2147483647
  return seed % most
end

local function say(...)
  redis.call('PUBLISH', EVENTS, table.concat({...}, ' '))
end

local function addGem()
  local x, y = chance(WIDTH), chance(HEIGHT)
  local worth = chance(6) == 0 and 5 or 1
  if redis.call('HSETNX', KEEP, x .. ' ' .. y, worth) == 1 then say('g', x, y, worth) end
end

local function keepAlive(id)
  redis.call('HPEXPIRE', PLAYERS, ALIVE_MS, 'FIELDS', 1, id)
  redis.call('HPEXPIRE', SECRETS, ALIVE_MS, 'FIELDS', 1, id)
end

local function join(keys, args)
  seed = nil
  local id, secret, colour = args[1], args[2], args[3]
  local name = string.sub(args[4], 1, 20)
  if not string.match(id, '^%w+$') or not string.match(colour, '^%d+$') then
    return redis.error_reply('ERR a player has an id of letters and a colour')
  end
  local known = redis.call('HGET', SECRETS, id)
  if known and known ~= secret then return redis.error_reply('ERR that player is taken') end
  local place = redis.call('HGET', PLAYERS, id) or (chance(WIDTH) .. ' ' .. chance(HEIGHT))
  redis.call('HSET', PLAYERS, id, place)
  redis.call('HSET', SECRETS, id, secret)
  redis.call('HSET', NAMES, id, colour .. ' ' .. name)
  redis.call('ZADD', BOARD, 'NX', 0, id)
  keepAlive(id)
  while redis.call('HLEN', KEEP) < GEMS do addGem() end
  say('j', id, place, colour, name)
  return place
end

local function move(keys, args)
  seed = nil
  local id, secret = args[1], args[2]
  local dx, dy = tonumber(args[3]), tonumber(args[4])
  if redis.call('HGET', SECRETS, id) ~= secret then
    return redis.error_reply('GONE this player is not in the game')
  end
  if not dx or not dy or math.abs(dx) + math.abs(dy) > 1 then
    return redis.error_reply('ERR one step at a time')
  end
  keepAlive(id)
  if dx == 0 and dy == 0 then return 0 end
  local x, y = string.match(redis.call('HGET', PLAYERS, id), '(%d+) (%d+)')
  x = math.max(0, math.min(WIDTH - 1, x + dx))
  y = math.max(0, math.min(HEIGHT - 1, y + dy))
  local place = x .. ' ' .. y
  redis.call('HSET', PLAYERS, id, place)
  keepAlive(id)
  say('m', id, place)
  local worth = redis.call('HGET', KEEP, place)
  if not worth then return 0 end
  redis.call('HDEL', KEEP, place)
  say('t', place)
  say('s', id, redis.call('ZINCRBY', BOARD, worth, id))
  addGem()
  return tonumber(worth)
end

local function leave(keys, args)
  if redis.call('HGET', SECRETS, args[1]) ~= args[2] then return 0 end
  redis.call('HDEL', PLAYERS, args[1])
  redis.call('HDEL', SECRETS, args[1])
  return 1
end

local function state(keys, args)
  return {
    redis.call('HGETALL', PLAYERS),
    redis.call('HGETALL', NAMES),
    redis.call('HGETALL', KEEP),
    redis.call('ZREVRANGE', BOARD, 0, 9, 'WITHSCORES'),
  }
end

redis.register_function('game_join', join)
redis.register_function('game_move', move)
redis.register_function('game_leave', leave)
redis.register_function{function_name = 'game_state', callback = state, flags = {'no-writes'}}
`;
