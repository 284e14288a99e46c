import { SetMetadata } from '@nestjs/common';
import type { ScopeName } from './authenticator.js';

/** The metadata of `@Scope()`. */
export const SCOPE = 'parley:scope';

/** The metadata of `@AdminOnly()`. */
export const ADMIN_ONLY = 'parley:admin-only';

/**
 * Opens a route to API keys of a scope. A route without it needs `admin`: it is about the account itself, or somebody
 * forgot, and a key must not open what nobody thought about.
 */
export function Scope(scope: ScopeName): MethodDecorator & ClassDecorator {
  return SetMetadata(SCOPE, scope);
}

/** Keeps a route for admins. */
export function AdminOnly(): MethodDecorator & ClassDecorator {
  return SetMetadata(ADMIN_ONLY, true);
}
