// A line chart over time: uPlot in a component. It is drawn anew when the colours change, fed when
// the numbers do, and as wide as its place.

import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { useStore } from './store.js';
import { colour, paint } from './theme.js';

export interface Series {
  readonly label: string;
  /** The name of a custom property of the styles. */
  readonly colour: string;
  readonly values: readonly (number | null)[];
  readonly isFilled?: boolean;
}

export interface ChartProps {
  readonly times: readonly number[];
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
  readonly height?: number;
  /** Where the scale ends even if no value comes near. */
  readonly least?: number;
  readonly most?: number;
  readonly label: string;
  /** Round numbers are those of 1024. */
  readonly isBinary?: boolean;
}

const HEIGHT = 180;
const AXIS_PX = 64;
const FONT = '11px system-ui, sans-serif';

/** Times are in seconds for uPlot. */
function dataOf({ times, series }: ChartProps): uPlot.AlignedData {
  return [times.map((time) => time / 1000), ...series.map(({ values }) => [...values])];
}

function axisOf({ format, isBinary = false }: ChartProps): uPlot.Axis {
  return {
    stroke: colour('muted'),
    font: FONT,
    size: AXIS_PX,
    grid: { stroke: colour('line'), width: 1 },
    ticks: { show: false },
    splits: (_, __, min, max) => splits(min, max, isBinary),
    values: (_, values) => values.map(format),
  };
}

/** A few lines at round places. */
function splits(min: number, max: number, isBinary: boolean): number[] {
  const rough = (max - min) / 3 || 1;
  const unit = isBinary ? 1024 ** Math.floor(Math.log2(rough) / 10) : 1;
  const power = unit * 10 ** Math.floor(Math.log10(rough / unit));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((each) => each >= rough)!;
  const found: number[] = [];
  for (let at = Math.ceil(min / step) * step; at <= max + step / 1000; at += step) found.push(at);
  return found;
}

function optionsOf(props: ChartProps, width: number): uPlot.Options {
  const { series, least = 1, most } = props;
  return {
    width,
    height: props.height ?? HEIGHT,
    padding: [10, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: {
      y: {
        range: (_, __, max) => [0, most ?? Math.max(least, (max ?? 0) * 1.15)],
      },
    },
    axes: [
      {
        stroke: colour('muted'),
        font: FONT,
        grid: { show: false },
        ticks: { show: false },
        size: 26,
        space: 70,
        values: (_, values) => values.map((value) => clock(value * 1000)),
      },
      axisOf(props),
    ],
    series: [
      {},
      ...series.map((each) => ({
        label: each.label,
        stroke: colour(each.colour),
        width: 1.75,
        points: { show: false, size: 4, filter: lonelyPoints },
        ...(each.isFilled === true ? { fill: `${colour(each.colour)}1f` } : {}),
      })),
    ],
  };
}

/** The values with a gap on either side, which no line shows. */
function lonelyPoints(plot: uPlot, seriesIndex: number): number[] {
  const values = plot.data[seriesIndex]!;
  const isGap = (at: number): boolean => values[at] === null || values[at] === undefined;
  return Array.from(values.keys()).filter((at) => !isGap(at) && isGap(at - 1) && isGap(at + 1));
}

function clock(ms: number): string {
  return new Date(ms).toLocaleTimeString('en-GB');
}

export function Chart(props: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const painted = useStore(paint);
  // New numbers come by setData below, not by a new chart.
  useEffect(() => {
    const element = place.current!;
    const chart = new uPlot(optionsOf(props, element.clientWidth), dataOf(props), element);
    plot.current = chart;
    const observer = new ResizeObserver(() => {
      chart.setSize({ width: element.clientWidth, height: props.height ?? HEIGHT });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
      plot.current = null;
    };
  }, [painted, props.series.length]);
  useEffect(() => plot.current?.setData(dataOf(props)));
  return <div class="chart" ref={place} role="img" aria-label={props.label} />;
}

export interface ChartCardProps extends ChartProps {
  readonly title: string;
}

/** A chart with its title and the newest numbers as its legend. */
export function ChartCard({ title, ...chart }: ChartCardProps) {
  return (
    <section class="card">
      <header class="card-head">
        <h2>{title}</h2>
        <ul class="legend">
          {chart.series.map(({ label, colour: name, values }) => {
            const last = values.at(-1);
            return (
              <li key={label}>
                <span class="swatch" style={`background: var(--${name})`} />
                {label}
                <strong>{last === null || last === undefined ? '–' : chart.format(last)}</strong>
              </li>
            );
          })}
        </ul>
      </header>
      <Chart {...chart} />
    </section>
  );
}
