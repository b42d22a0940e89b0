// A strict reader of OpenMetrics text: throws at the first line that the format does not allow.
// After https://github.com/prometheus/OpenMetrics (the parts that a server without exemplars and
// time stamps uses).

export interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  type: string;
  readonly samples: Sample[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const NUMBER = /^(NaN|[+-]Inf|[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?)$/;
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: ['_total', '_created'],
  gauge: [''],
  histogram: ['_bucket', '_count', '_sum', '_created'],
  info: ['_info'],
  unknown: [''],
};

export function parseOpenMetrics(text: string): Map<string, Family> {
  if (!text.endsWith('# EOF\n')) throw new Error('the text ends with "# EOF" and a line break');
  const lines = text.slice(0, -1).split('\n');
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let family: Family | null = null;
  lines.forEach((line, index) => {
    const where = `line ${index + 1} '${line.slice(0, 200)}'`;
    if (line === '# EOF') {
      if (index !== lines.length - 1) throw new Error(`${where}: lines follow`);
      return;
    }
    const said = /^# (TYPE|HELP|UNIT) (\S+) (.*)$/.exec(line);
    if (said !== null) {
      family = describe(families, family, said, where);
      return;
    }
    if (line.startsWith('#') || line === '')
      throw new Error(`${where}: neither comment nor sample`);
    const sample = readSample(line, where);
    if (family === null) throw new Error(`${where}: no family was begun`);
    const suffix = sample.name.slice(family.name.length);
    if (!sample.name.startsWith(family.name) || !SUFFIXES[family.type]!.includes(suffix)) {
      throw new Error(`${where}: not of the ${family.type} ${family.name}`);
    }
    const key = `${sample.name}${JSON.stringify([...sample.labels].sort())}`;
    if (seen.has(key)) throw new Error(`${where}: said twice`);
    seen.add(key);
    if (family.type === 'counter' && !(sample.value >= 0)) throw new Error(`${where}: below zero`);
    family.samples.push(sample);
  });
  for (const each of families.values()) if (each.type === 'histogram') checkHistogram(each);
  return families;
}

function describe(
  families: Map<string, Family>,
  current: Family | null,
  [, keyword = '', name = '', rest = '']: RegExpExecArray,
  where: string,
): Family {
  if (!NAME.test(name)) throw new Error(`${where}: not a name`);
  if (current?.name === name) {
    if (keyword === 'TYPE' || current.samples.length > 0) throw new Error(`${where}: too late`);
    return current;
  }
  if (families.has(name)) throw new Error(`${where}: the family is interrupted`);
  if (keyword !== 'TYPE') throw new Error(`${where}: the type comes first here`);
  if (SUFFIXES[rest] === undefined) throw new Error(`${where}: no such type`);
  if (rest === 'counter' && name.endsWith('_total')) throw new Error(`${where}: _total is added`);
  const family: Family = { name, type: rest, samples: [] };
  families.set(name, family);
  return family;
}

function readSample(line: string, where: string): Sample {
  const match = /^([^\s{]+)(\{.*\})? (\S+)$/.exec(line);
  if (match === null) throw new Error(`${where}: not a sample`);
  const [, name = '', labelText = '', number = ''] = match;
  if (!NAME.test(name)) throw new Error(`${where}: not a name`);
  if (!NUMBER.test(number)) throw new Error(`${where}: not a number`);
  const value = number.endsWith('Inf') ? Number(`${number}inity`) : Number(number);
  return { name, labels: readLabels(labelText, where), value };
}

function readLabels(text: string, where: string): Map<string, string> {
  const labels = new Map<string, string>();
  if (text === '') return labels;
  let rest = text.slice(1, -1);
  while (rest !== '') {
    const match = /^([^=]+)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/.exec(rest);
    if (match === null) throw new Error(`${where}: labels`);
    const [whole, label = '', value = ''] = match;
    if (!LABEL.test(label) || labels.has(label)) throw new Error(`${where}: label ${label}`);
    labels.set(label, value);
    rest = rest.slice(whole.length);
  }
  return labels;
}

/** Buckets ascend, in limits and in counts, to +Inf, which is the count. */
function checkHistogram({ name, samples }: Family): void {
  const last = new Map<string, { limit: number; count: number }>();
  for (const { name: sampleName, labels, value } of samples) {
    const others = JSON.stringify([...labels].filter(([label]) => label !== 'le'));
    const before = last.get(others) ?? { limit: Number.NEGATIVE_INFINITY, count: 0 };
    if (sampleName === `${name}_bucket`) {
      const le = labels.get('le');
      if (le === undefined) throw new Error(`${name}: a bucket without a limit`);
      const limit = le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le);
      if (!(limit > before.limit) || value < before.count)
        throw new Error(`${name} ${others}: order`);
      last.set(others, { limit, count: value });
    } else if (sampleName === `${name}_count`) {
      if (before.limit !== Number.POSITIVE_INFINITY) throw new Error(`${name} ${others}: no +Inf`);
      if (before.count !== value) throw new Error(`${name} ${others}: the count is another`);
    }
  }
}
