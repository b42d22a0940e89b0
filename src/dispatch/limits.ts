// Limits of the configuration that hot paths read: numbers in a field, not look-ups by name. The
// server sets them at start and whenever CONFIG SET changes them, on every thread.

export const limits = {
  /** proto-max-bulk-len: the longest word a client may send and the longest string there may be. */
  bulkBytesMax: 512 * 1024 * 1024,
  /** client-query-buffer-limit, as far as commands queued by MULTI use it up. */
  queuedBytesMax: 1024 * 1024 * 1024,
  /** Why the log cannot be written, while its gate is up. */
  logFailure: '',
};
