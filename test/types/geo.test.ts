// Positions as scores, and areas as cells: each place that an area holds lies in a cell of its
// cover.

import { describe, expect, it } from 'vitest';
import {
  Area,
  Cover,
  distanceBetween,
  geohashText,
  LATITUDE_MAX,
  position,
  readScore,
  scoreOfPosition,
} from '../../src/types/geo.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';

describe('a position', () => {
  it('has the score, the geohash and the distance that Redis gives it', () => {
    const palermo = scoreOfPosition(13.361389, 38.115556);
    expect(palermo).toBe(3479099956230698);
    expect(geohashText(palermo)).toBe('sqc8b49rny0');
    readScore(palermo);
    expect({ ...position }).toEqual({
      longitude: 13.361389338970184,
      latitude: 38.1155563954963,
    });
    const meters = distanceBetween(
      13.361389338970184,
      38.1155563954963,
      15.087267458438873,
      37.50266842333162,
    );
    expect(meters).toBe(166274.15156960033);
  });

  it('has scores beyond 52 bits at the very edge of the map', () => {
    expect(scoreOfPosition(-180, -LATITUDE_MAX)).toBe(0);
    expect(scoreOfPosition(180, -LATITUDE_MAX)).toBe(2 ** 53);
    expect(scoreOfPosition(-180, LATITUDE_MAX)).toBe(2 ** 52);
  });

  randomTest(
    'is found again from its score, but for the size of the smallest cell',
    10,
    (random) => {
      for (let count = 0; count < 100; count++) {
        const { longitude, latitude } = drawPosition(random);
        const score = scoreOfPosition(longitude, latitude);
        readScore(score);
        expect(Math.abs(position.longitude - longitude)).toBeLessThanOrEqual(360 / 2 ** 27 + 1e-12);
        expect(Math.abs(position.latitude - latitude)).toBeLessThanOrEqual(171 / 2 ** 27 + 1e-12);
        expect(scoreOfPosition(position.longitude, position.latitude)).toBe(score);
      }
    },
  );

  it('is read from scores that no position has, as a C program reads them', () => {
    for (const score of [-1, 0.5, 1e300, -1e300, Number.POSITIVE_INFINITY, 2 ** 63]) {
      readScore(score);
      expect(Math.abs(position.longitude), String(score)).toBeLessThanOrEqual(180);
      expect(Math.abs(position.latitude), String(score)).toBeLessThanOrEqual(LATITUDE_MAX);
    }
  });
});

function drawPosition(random: Random): { longitude: number; latitude: number } {
  const longitude = (random.next() / 2 ** 32) * 360 - 180;
  const latitude = ((random.next() / 2 ** 32) * 2 - 1) * LATITUDE_MAX;
  return { longitude, latitude };
}

/** A place at most so many degrees away, on the map. */
function drawNear(random: Random, area: Area, degrees: number): void {
  const east = (random.next() / 2 ** 31 - 1) * degrees;
  const north = (random.next() / 2 ** 31 - 1) * degrees;
  const longitude = Math.max(-180, Math.min(180, area.longitude + east));
  const latitude = Math.max(-LATITUDE_MAX, Math.min(LATITUDE_MAX, area.latitude + north));
  readScore(scoreOfPosition(longitude, latitude));
}

describe('the cover of an area', () => {
  randomTest(
    'has every place that the area holds, within the latitudes people live at',
    20,
    (random) => {
      const area = new Area();
      const cover = new Cover();
      const center = drawPosition(random);
      area.longitude = center.longitude * 0.8;
      area.latitude = center.latitude * 0.7;
      area.isCircle = random.chance(0.5);
      const meters = random.pick([10, 1000, 50_000, 500_000]);
      area.radius = meters;
      area.width = meters * 2;
      area.height = meters;
      let held = 0;
      for (let count = 0; count < 300; count++) {
        drawNear(random, area, meters / 80_000);
        if (!area.holds()) continue;
        held++;
        const score = scoreOfPosition(position.longitude, position.latitude);
        cover.open(area);
        let isCovered = false;
        while (cover.advance()) {
          if (score >= cover.scoreMin && score < cover.scoreEnd) isCovered = true;
        }
        expect(isCovered, `${area.longitude} ${area.latitude} ${meters}: ${score}`).toBe(true);
      }
      expect(held).toBeGreaterThan(0);
    },
  );
});
