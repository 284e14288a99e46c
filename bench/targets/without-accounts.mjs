/*
 * Loaded before the built server to authenticate only the first request and to limit nothing. The difference to the
 * normal server is the cost of accounts and limits. DIST is the folder of the build.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const built = (file) => import(pathToFileURL(join(process.env.DIST, file)).href);

const { RateLimitGuard } = await built('http/guards/rate-limit.guard.js');
const { setPrincipal, callerOf } = await built('http/context/principal.js');
const { LeaseBudget } = await built('features/limits/lease-budget.js');

/**
 * The sender of the first request with credentials counts as the sender of all others: usage records need an account.
 */
let principal;

RateLimitGuard.prototype.canActivate = async function (context) {
  const request = context.switchToHttp().getRequest();
  if (principal === undefined) {
    await this.auth.canActivate(context);
    principal = callerOf(request);
  } else {
    setPrincipal(request, principal, this.auth.operations);
  }
  return true;
};

LeaseBudget.prototype.reserve = async () => ({ settle: () => undefined });
