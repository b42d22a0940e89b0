// Searches on one engine in this process: against all places one by one, over both encodings of
// sorted sets, and into targets in other partitions.

import { describe, expect } from 'vitest';
import { genericCommands } from '../../src/commands/generic/index.js';
import { geoCommands } from '../../src/commands/geo/index.js';
import { sortedSetCommands } from '../../src/commands/sorted-set/index.js';
import { distanceBetween, position, readScore, scoreOfPosition } from '../../src/types/geo.js';
import { checkKeyspace } from '../support/check-keyspace.js';
import { Engine } from '../support/engine.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';

const specs = [...geoCommands, ...sortedSetCommands, ...genericCommands];

interface Place {
  readonly name: string;
  readonly longitude: number;
  readonly latitude: number;
}

/** Every second word of an array reply. */
function texts(reply: string): string[] {
  const [head, ...rest] = reply.split('\r\n');
  const found = rest.filter((_, index) => index % 2 === 1);
  expect(found.length, reply).toBe(Number(head!.slice(1)));
  return found;
}

function drawPlaces(random: Random, count: number): Place[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `place ${index}`,
    longitude: random.below(3_600_000) / 10_000 - 180,
    latitude: random.below(1_600_000) / 10_000 - 80,
  }));
}

function addPlaces(engine: Engine, key: string, places: readonly Place[]): void {
  const words = places.flatMap(({ name, longitude, latitude }) => [
    String(longitude),
    String(latitude),
    name,
  ]);
  expect(engine.run('GEOADD', key, ...words)).toBe(`:${places.length}\r\n`);
}

/** Metres from the place, as it is stored, to the position. */
function metersTo(place: Place, longitude: number, latitude: number): number {
  readScore(scoreOfPosition(place.longitude, place.latitude));
  return distanceBetween(longitude, latitude, position.longitude, position.latitude);
}

describe('a search', () => {
  randomTest('finds exactly the places within its radius, nearest first', 15, (random) => {
    const engine = new Engine({ specs });
    const places = drawPlaces(random, random.pick([20, 100, 400]));
    addPlaces(engine, 'places', places);
    for (let count = 0; count < 10; count++) {
      const longitude = random.below(300) - 150;
      const latitude = random.below(120) - 60;
      const radius = random.pick([100_000, 1_000_000, 3_000_000]);
      const expected = places
        .map((place) => ({ name: place.name, meters: metersTo(place, longitude, latitude) }))
        .filter(({ meters }) => meters <= radius)
        .sort((a, b) => a.meters - b.meters)
        .map(({ name }) => name);
      const area = ['FROMLONLAT', String(longitude), String(latitude)];
      const circle = ['BYRADIUS', String(radius), 'm'];
      expect(texts(engine.run('GEOSEARCH', 'places', ...area, ...circle, 'ASC'))).toEqual(expected);
      const few = texts(engine.run('GEOSEARCH', 'places', ...area, ...circle, 'COUNT', '3'));
      expect(few).toEqual(expected.slice(0, 3));
      const any = engine.run('GEOSEARCH', 'places', ...area, ...circle, 'COUNT', '3', 'ANY');
      expect(texts(any)).toHaveLength(Math.min(3, expected.length));
    }
  });

  randomTest('stores what it finds in any partition, over what was there', 10, (random) => {
    const engine = new Engine({ specs, partitions: 8 });
    const places = drawPlaces(random, random.pick([10, 300]));
    addPlaces(engine, 'a', places);
    const area = ['FROMLONLAT', '0', '0', 'BYRADIUS', '6000', 'km'];
    const found = texts(engine.run('GEOSEARCH', 'a', ...area)).sort();
    for (const target of ['b', 'c', 'a']) {
      const stored = engine.run('GEOSEARCHSTORE', target, 'a', ...area);
      expect(stored).toBe(`:${found.length}\r\n`);
      expect(texts(engine.run('ZRANGE', target, '0', '-1')).sort()).toEqual(found);
    }
    checkKeyspace(engine.keyspace);
  });
});
