// Text in the OpenMetrics format: families with a type, samples with labels, `# EOF` at the end.

export type MetricType = 'counter' | 'gauge' | 'histogram' | 'info';

export type Labels = Readonly<Record<string, string>>;

/** Builds a page; families come one after the other, each once. */
export class OpenMetrics {
  private text = '';
  private readonly families = new Set<string>();
  private name = '';
  private type: MetricType = 'gauge';

  /** Begins a family; false, and nothing is begun, when it was there already. */
  family(name: string, type: MetricType, help: string): boolean {
    if (this.families.has(name)) return false;
    this.families.add(name);
    this.name = name;
    this.type = type;
    this.text += `# TYPE ${name} ${type}\n# HELP ${name} ${escapeHelp(help)}\n`;
    return true;
  }

  /** A sample of the family that was begun last. */
  sample(value: number, labels: Labels = {}): void {
    const suffix = this.type === 'counter' ? '_total' : this.type === 'info' ? '_info' : '';
    this.text += `${this.name}${suffix}${labelText(labels)} ${numberText(value)}\n`;
  }

  /** A histogram of the family that was begun last: counts of each bucket by itself. */
  histogram(
    labels: Labels,
    limits: readonly number[],
    counts: readonly number[],
    sum: number,
  ): void {
    const { name } = this;
    const inside = Object.entries(labels)
      .map(([key, value]) => `${key}="${escapeLabel(value)}",`)
      .join('');
    let total = 0;
    for (let at = 0; at < limits.length; at++) {
      total += counts[at]!;
      this.text += `${name}_bucket{${inside}le="${numberText(limits[at]!)}"} ${total}\n`;
    }
    for (let at = limits.length; at < counts.length; at++) total += counts[at]!;
    this.text += `${name}_bucket{${inside}le="+Inf"} ${total}\n`;
    this.text += `${name}_count${labelText(labels)} ${total}\n`;
    this.text += `${name}_sum${labelText(labels)} ${numberText(sum)}\n`;
  }

  end(): string {
    return `${this.text}# EOF\n`;
  }
}

function labelText(labels: Labels): string {
  const entries = Object.entries(labels);
  if (entries.length === 0) return '';
  return `{${entries.map(([key, value]) => `${key}="${escapeLabel(value)}"`).join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}

function escapeHelp(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}

/** As the format's own examples write numbers: 1.0 is `1.0` in labels, small ones are `1e-06`. */
export function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return `${value}.0`;
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e15) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}
