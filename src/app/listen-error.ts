import { ConfigError } from '../config/index.js';

/**
 * Explains to the operator why a server cannot listen.
 * @param setting the setting of its port, `PORT` or `WORKER_PORT`
 * @returns a ConfigError, or the error itself if its cause is not in the settings
 */
export function toListenError(
  error: unknown,
  setting: 'PORT' | 'WORKER_PORT',
  { port, host }: { readonly port: number; readonly host: string },
): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    return new ConfigError(
      `${setting} ${port} on ${host} is already in use. Set ${setting} to another port, or stop the process that uses it.`,
    );
  }
  if (code === 'EACCES')
    return new ConfigError(`${setting} must be a port that this user may listen on; ${port} is not.`);
  if (code === 'ENOTFOUND' || code === 'EADDRNOTAVAIL' || code === 'EAI_AGAIN') {
    return new ConfigError(`HOST must be an address of this machine; "${host}" is not.`);
  }
  return error;
}
