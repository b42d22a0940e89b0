// What this server is, and which Redis it speaks like.

export const FLAGSTONE_VERSION = '0.1.0';
export const REDIS_VERSION = '7.2.6';
