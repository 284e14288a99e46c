import { hash, verify } from '@node-rs/argon2';

/**
 * OWASP's recommended parameters for argon2id, which is the library's default algorithm: 19 MiB, two passes, one
 * lane.
 */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** Hash of a password that nobody has, created once, so that an unknown address costs as much work as a known one. */
let dummyHash: Promise<string> | undefined;

/** Returns the argon2id hash of a password, in PHC format. */
export function hashPassword(password: string): Promise<string> {
  return hash(password, PARAMETERS);
}

/** Returns true if the password matches the hash. Without a hash returns false after the same work. */
export async function passwordMatches(password: string, passwordHash: string | undefined): Promise<boolean> {
  dummyHash ??= hashPassword(crypto.randomUUID());
  const matches = await verify(passwordHash ?? (await dummyHash), password);
  return matches && passwordHash !== undefined;
}
