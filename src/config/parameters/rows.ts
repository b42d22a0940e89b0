// How a row is written: one function per kind, so that a row names only what is unusual about it.

import type { Form, Kind, Row, SupportRule, Synonyms, TextCheck, Value } from '../parameter.js';

/** What any row may say beside its kind. */
export interface Traits {
  readonly alias?: string;
  readonly isMutable?: boolean;
  readonly isProtected?: boolean;
  readonly isHidden?: boolean;
  readonly isMulti?: boolean;
  readonly isSensitive?: boolean;
  readonly isVolatile?: boolean;
  readonly isRefusedWhileLoading?: boolean;
  readonly support?: SupportRule;
}

interface NumberTraits extends Traits {
  readonly default: number;
  readonly min: number | bigint;
  readonly max: number | bigint;
  readonly isUnsigned?: boolean;
  readonly clamp?: readonly [number, number];
  readonly check?: (value: bigint) => string | null;
}

interface ChoiceTraits extends Traits {
  readonly values: readonly string[];
  readonly default: string;
  readonly synonyms?: Synonyms;
}

interface ChoicesTraits extends Traits {
  readonly values: readonly string[];
  readonly default: string;
  readonly check?: (names: readonly string[]) => string | null;
}

export function flag(name: string, traits: Traits & { readonly default: boolean }): Row {
  return row(name, { type: 'flag' }, traits.default, traits);
}

export function integer(name: string, traits: NumberTraits): Row {
  return numberRow(name, 'integer', traits);
}

/** Written and shown in base 8. */
export function octal(name: string, traits: NumberTraits): Row {
  return numberRow(name, 'octal', traits);
}

export function memory(name: string, traits: NumberTraits): Row {
  return numberRow(name, 'memory', traits);
}

/** A negative number is a percentage. */
export function memoryOrPercent(name: string, traits: NumberTraits): Row {
  return numberRow(name, 'memory-or-percent', traits);
}

export function choice(name: string, traits: ChoiceTraits): Row {
  const { values, synonyms = {} } = traits;
  return row(name, { type: 'choice', values, synonyms }, traits.default, traits);
}

/** Several of the values at once. */
export function choices(name: string, traits: ChoicesTraits): Row {
  const { values, check = null } = traits;
  const kind: Kind = { type: 'choices', values, check };
  return row(name, kind, [traits.default], { ...traits, isMulti: true });
}

/** Any bytes; empty means that there is none, and keeps the line out of the file. */
export function text(name: string, traits: Traits & { readonly check?: TextCheck } = {}): Row {
  const { check = null } = traits;
  return row(name, { type: 'text', isUnsetWhenEmpty: true, check }, '', traits);
}

/** Any bytes; empty is a value like others. */
export function textOrEmpty(
  name: string,
  traits: Traits & { readonly default: string; readonly check?: TextCheck },
): Row {
  const { check = null } = traits;
  return row(name, { type: 'text', isUnsetWhenEmpty: false, check }, traits.default, traits);
}

export function special(name: string, traits: Traits & { readonly form: Form }): Row {
  const { form } = traits;
  return row(name, { type: 'special', form }, form.default, traits);
}

/** For support: accepted, and the log says why it does nothing. */
export function inert(reason: string): SupportRule {
  return { rule: 'inert', reason };
}

/** For support: the server does not start with it, and CONFIG SET does not take it. */
export function refused(sentence: string): SupportRule {
  return { rule: 'refused', sentence };
}

/** For support: it depends on the value. */
export function depends(judge: (value: Value) => SupportRule): SupportRule {
  return { rule: 'depends', judge };
}

export const NOW: SupportRule = { rule: 'now' };

type NumberType = 'integer' | 'octal' | 'memory' | 'memory-or-percent';

function numberRow(name: string, type: NumberType, traits: NumberTraits): Row {
  const { min, max, isUnsigned = false, clamp, check = null } = traits;
  const kind: Kind = {
    type,
    min: BigInt(min),
    max: BigInt(max),
    isUnsigned,
    clamp: clamp === undefined ? null : [BigInt(clamp[0]), BigInt(clamp[1])],
    check,
  };
  return row(name, kind, BigInt(traits.default), traits);
}

function row(name: string, kind: Kind, defaultValue: Value, traits: Traits): Row {
  return {
    name,
    alias: traits.alias ?? null,
    kind,
    default: defaultValue,
    isMutable: traits.isMutable ?? true,
    isProtected: traits.isProtected ?? false,
    isHidden: traits.isHidden ?? false,
    isMulti: traits.isMulti ?? false,
    isSensitive: traits.isSensitive ?? false,
    isVolatile: traits.isVolatile ?? false,
    isRefusedWhileLoading: traits.isRefusedWhileLoading ?? false,
    support: traits.support ?? NOW,
  };
}
