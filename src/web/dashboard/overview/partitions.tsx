// The partitions as a map of cells: the fuller, the stronger the colour.

import { useState } from 'preact/hooks';
import { bytes, count } from '../format.js';
import type { PartitionStats } from '../stats.js';

type Measure = 'usedBytes' | 'keys';

const MEASURES: readonly (readonly [Measure, string, (value: number) => string])[] = [
  ['usedBytes', 'Memory', bytes],
  ['keys', 'Keys', count],
];

export function PartitionsCard({ partitions }: { partitions: readonly PartitionStats[] }) {
  const [measure, setMeasure] = useState<Measure>('usedBytes');
  const [picked, setPicked] = useState<number | null>(null);
  const format = MEASURES.find(([name]) => name === measure)![2];
  const values = partitions.map((each) => each[measure]);
  const most = Math.max(1, ...values);
  const shown = picked === null ? null : partitions[picked];
  return (
    <section class="card">
      <header class="card-head">
        <h2>Partitions</h2>
        <fieldset class="segments" aria-label="Measure">
          {MEASURES.map(([name, title]) => (
            <button
              type="button"
              key={name}
              aria-pressed={name === measure}
              onClick={() => setMeasure(name)}
            >
              {title}
            </button>
          ))}
        </fieldset>
      </header>
      <div class="cells">
        {values.map((value, index) => (
          <button
            type="button"
            // A partition is its number.
            key={index}
            class="cell"
            style={`--fill: ${Math.round((value / most) * 100)}%`}
            aria-label={`Partition ${index}: ${format(value)}`}
            title={`Partition ${index}: ${format(value)}`}
            aria-pressed={picked === index}
            onClick={() => setPicked(picked === index ? null : index)}
          />
        ))}
      </div>
      <p class="hint">
        {shown == null ? sumOf(values, format) : `Partition ${picked}: ${factsOf(shown)}`}
      </p>
    </section>
  );
}

function factsOf({ keys, usedBytes, capacityBytes }: PartitionStats): string {
  return `${count(keys)} keys, ${bytes(usedBytes)} of ${bytes(capacityBytes)}`;
}

/** How many there are, and how unequal they are. */
function sumOf(values: readonly number[], format: (value: number) => string): string {
  const most = Math.max(0, ...values);
  const sum = values.reduce((total, value) => total + value, 0);
  const times = sum === 0 ? 0 : (most * values.length) / sum;
  const skew = sum === 0 ? '' : ` That is ${times.toFixed(1)} times the mean.`;
  return `${values.length} partitions; the fullest has ${format(most)}.${skew}`;
}
