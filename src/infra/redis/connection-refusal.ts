/** Matches the first word of the replies to a connection that may run no command, by Redis 5 and later. */
const NO_LOGIN = /^(?:NOAUTH|WRONGPASS|ERR invalid password)\b/;

/** Matches the errors of ioredis for bytes that are no reply of Redis. */
const NO_REPLY = /\bUnknown RESP type\b|^Protocol error\b/;

/**
 * Returns why a server accepts connections and refuses all of their commands, or undefined for any other error. It
 * is the same for every connection of the process.
 */
export function connectionRefusal({ message }: Error): string | undefined {
  return NO_REPLY.test(message)
    ? 'the server does not speak the Redis protocol'
    : NO_LOGIN.exec(message)?.[0];
}
