// The scripts that all threads know: what one adds the others find, and a flush is seen by all.

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  checkScripts,
  createScripts,
  readSha,
  ScriptRegistry,
  SHA_WORDS,
  shaOf,
  shaText,
} from '../../src/scripting/registry.js';
import { checkSlab } from '../../src/slab/check.js';
import { Slab } from '../../src/slab/slab.js';
import { Random, seedOf } from '../support/seed.js';

function shaOfText(text: string): Int32Array {
  const sha = new Int32Array(SHA_WORDS);
  const bytes = Buffer.from(text, 'latin1');
  shaOf(bytes, 0, bytes.length, sha);
  return sha;
}

function add(registry: ScriptRegistry, text: string): boolean {
  const bytes = Buffer.from(text, 'latin1');
  return registry.add(shaOfText(text), bytes, 0, bytes.length);
}

function sourceOf(registry: ScriptRegistry, text: string): string | null {
  const source = registry.sourceOf(shaOfText(text));
  return source === null ? null : Buffer.from(source).toString('latin1');
}

describe('the registry of scripts', () => {
  it('gives scripts the SHA-1 of their source, in either case', () => {
    const text = 'return 1';
    const hex = createHash('sha1').update(text).digest('hex');
    expect(shaText(shaOfText(text))).toBe(hex);
    const read = new Int32Array(SHA_WORDS);
    const upper = Buffer.from(hex.toUpperCase(), 'latin1');
    expect(readSha(upper, 0, upper.length, read)).toBe(true);
    expect(read).toEqual(shaOfText(text));
    expect(readSha(upper, 0, 39, read)).toBe(false);
    expect(readSha(Buffer.from('g'.repeat(40)), 0, 40, read)).toBe(false);
  });

  it('shows every thread what another has added, until a flush', () => {
    const shape = createScripts(4 * 1024 * 1024);
    const one = new ScriptRegistry(shape, 0);
    const other = new ScriptRegistry(shape, 1);
    expect(add(one, 'return 1')).toBe(true);
    expect(sourceOf(other, 'return 1')).toBe('return 1');
    expect(other.has(shaOfText('return 2'))).toBe(false);
    const { version } = other;
    one.flush();
    expect(other.version).not.toBe(version);
    expect(other.has(shaOfText('return 1'))).toBe(false);
    expect(other.count).toBe(0);
    checkScripts(shape);
  });

  it('refuses a script for which there is no memory, and keeps what it has', () => {
    const shape = createScripts(1024 * 1024);
    const registry = new ScriptRegistry(shape, 0);
    expect(add(registry, 'return 1')).toBe(true);
    expect(add(registry, `return 2 --${'x'.repeat(2 * 1024 * 1024)}`)).toBe(false);
    expect(sourceOf(registry, 'return 1')).toBe('return 1');
    checkScripts(shape);
  });

  it('behaves like a map', () => {
    const seed = seedOf('SCRIPTS_SEED');
    const random = new Random(seed);
    const context = (step: number) => `SCRIPTS_SEED=${seed}, step ${step}`;
    const shape = createScripts(8 * 1024 * 1024);
    const registry = new ScriptRegistry(shape, 0);
    const model = new Set<string>();
    for (let step = 0; step < 4000; step++) {
      const text = `return ${random.below(500)} ${'-'.repeat(2 + random.below(300))}`;
      if (random.below(1000) === 0) {
        registry.flush();
        model.clear();
      } else if (random.below(2) === 0) {
        expect(add(registry, text), context(step)).toBe(true);
        model.add(text);
      }
      expect(sourceOf(registry, text), context(step)).toBe(model.has(text) ? text : null);
      expect(registry.count).toBe(model.size);
    }
    checkScripts(shape);
    checkSlab(new Slab(0, shape.sources));
  });
});
