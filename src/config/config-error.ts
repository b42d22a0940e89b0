/** A configuration that the server cannot start with. The message is for standard error. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
