// Commands of positions.

import { type Maker, type Row, row } from './maker.js';

export const GEO: readonly Row[] = [
  row(30, (m) => ['GEOADD', m.keyOf('geo'), ...addOptions(m), ...places(m)]),
  row(10, (m) => ['GEOPOS', m.keyOf('geo'), ...names(m)]),
  row(10, (m) => ['GEOHASH', m.keyOf('geo'), ...names(m)]),
  row(10, (m) => ['GEODIST', m.keyOf('geo'), name(m), name(m), ...unitOption(m)]),
  row(15, (m) => ['GEOSEARCH', m.keyOf('geo'), ...center(m), ...shape(m), ...showing(m)]),
  row(8, makeStore),
  row(6, (m) => [
    m.random.pick(['GEORADIUS', 'GEORADIUS_RO']),
    m.keyOf('geo'),
    ...position(m),
    radius(m),
    unit(m),
    ...showing(m),
  ]),
  row(6, (m) => [
    m.random.pick(['GEORADIUSBYMEMBER', 'GEORADIUSBYMEMBER_RO']),
    m.keyOf('geo'),
    name(m),
    radius(m),
    unit(m),
    ...showing(m),
  ]),
  row(3, (m) => ['ZREM', m.keyOf('geo'), ...names(m)]),
  row(2, (m) => ['DEL', m.keyOf('geo')]),
];

function name(m: Maker): string {
  return m.random.chance(0.95) ? `place:${m.random.below(60)}` : m.member();
}

function names(m: Maker): string[] {
  return Array.from({ length: m.random.between(1, 4) }, () => name(m));
}

function degrees(m: Maker, limit: number): string {
  const { random } = m;
  if (random.chance(0.02)) return random.pick(['180', '-180', '85.05112878', '86', '181', 'x', '']);
  const whole = random.between(-limit, limit);
  return `${whole}.${String(random.below(1_000_000)).padStart(6, '0')}`;
}

/** Half of all places lie near each other. */
function position(m: Maker): string[] {
  if (m.random.chance(0.5)) {
    return [`13.${m.random.below(1_000_000)}`, `38.${m.random.below(1_000_000)}`];
  }
  return [degrees(m, 179), degrees(m, 84)];
}

function places(m: Maker): string[] {
  const count = m.random.chance(0.1) ? 140 : m.random.between(1, 4);
  return Array.from({ length: count }, () => [...position(m), name(m)]).flat();
}

function addOptions(m: Maker): string[] {
  return m.options(2, [
    () => ['NX'],
    () => ['XX'],
    () => ['CH'],
    () => (m.random.chance(0.1) ? ['BOGUS'] : ['CH']),
  ]);
}

function unit(m: Maker): string {
  return m.random.pick(['m', 'km', 'ft', 'mi', 'KM', 'm', 'km', 'bogus']);
}

function unitOption(m: Maker): string[] {
  return m.random.chance(0.6) ? [unit(m)] : [];
}

function radius(m: Maker): string {
  const { random } = m;
  if (random.chance(0.03)) return random.pick(['-1', 'x', 'inf', '0']);
  return random.pick(['100', '5000', '200', '1000', '20000', '0.5', '1e6']);
}

function center(m: Maker): string[] {
  if (m.random.chance(0.03)) return ['BOGUS'];
  return m.random.chance(0.5) ? ['FROMMEMBER', name(m)] : ['FROMLONLAT', ...position(m)];
}

function shape(m: Maker): string[] {
  if (m.random.chance(0.03)) return [];
  if (m.random.chance(0.5)) return ['BYRADIUS', radius(m), unit(m)];
  return ['BYBOX', radius(m), radius(m), unit(m)];
}

/** COUNT ANY takes whichever it finds first: only where nothing else is asked for. */
function showing(m: Maker): string[] {
  return m.options(3, [
    () => [m.random.pick(['ASC', 'DESC'])],
    () => ['WITHCOORD'],
    () => ['WITHDIST'],
    () => ['WITHHASH'],
    () => ['COUNT', m.random.pick(['1', '3', '100', '0', 'x'])],
    () => (m.random.chance(0.1) ? ['BOGUS'] : ['WITHDIST']),
  ]);
}

function makeStore(m: Maker): readonly string[] {
  const options = m.options(2, [
    () => ['ASC'],
    () => ['COUNT', m.random.pick(['1', '3', '100'])],
    () => ['STOREDIST'],
  ]);
  return ['GEOSEARCHSTORE', m.keyOf('geo'), m.keyOf('geo'), ...center(m), ...shape(m), ...options];
}
