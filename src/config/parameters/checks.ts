// What a text must be to name a file, a host or a title, beyond being a text.

/** Longer names fit no resolver. */
const HOST_NAME_LETTERS_MAX = 255;

/** What a title's variables hold while it is judged: those that may be empty count as empty. */
const TITLE_VARIABLES: ReadonlyMap<string, string> = new Map([
  ['title', ''],
  ['listen-addr', '*:6379'],
  ['server-mode', ''],
  ['config-file', '-'],
  ['port', '6379'],
  ['tls-port', '0'],
  ['unixsocket', ''],
]);

export function isFileName(name: string): string | null {
  return hasSlash(name) ? "dbfilename can't be a path, just a filename" : null;
}

export function isLogName(name: string): string | null {
  if (name === '') return "appendfilename can't be empty";
  return hasSlash(name) ? "appendfilename can't be a path, just a filename" : null;
}

export function isLogFolderName(name: string): string | null {
  if (name === '') return "appenddirname can't be empty";
  return hasSlash(name) ? "appenddirname can't be a path, just a dirname" : null;
}

export function isHostName(name: string): string | null {
  if (name.length > HOST_NAME_LETTERS_MAX) return 'Hostnames must be less than 256 characters';
  const isClean = /^[A-Za-z0-9.-]*$/.test(name);
  return isClean ? null : 'Hostnames may only contain alphanumeric characters, hyphens or dots';
}

export function isNodeName(name: string): string | null {
  const isClean = !/[!#$%&()*+:;<>?@[\]^{|}~\0]/.test(name);
  return isClean ? null : 'Announced human node name contained invalid character';
}

/** Text with {variables}, of which something must remain; two opening braces stand for one. */
export function isTitleTemplate(template: string): string | null {
  let isValid = true;
  const title = template.replace(/\{\{|\{([^}]*)\}|\{/g, (whole, name?: string) => {
    if (whole === '{{') return '{';
    const value = name === undefined ? undefined : TITLE_VARIABLES.get(name);
    if (value === undefined) isValid = false;
    return value ?? '';
  });
  isValid &&= /[^ ]/.test(title);
  return isValid ? null : 'template format is invalid or contains unknown variables';
}

export function isShutdown(names: readonly string[]): string | null {
  const isTorn = names.includes('save') && names.includes('nosave');
  return isTorn ? "shutdown options SAVE and NOSAVE can't be used simultaneously" : null;
}

export function isPowerOfTwo(value: bigint): string | null {
  return (value & (value - 1n)) === 0n ? null : 'argument must be a power of two';
}

function hasSlash(name: string): boolean {
  return name.includes('/') || name.includes('\\');
}
