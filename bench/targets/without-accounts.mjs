/*
 * Loaded before the built server: with it nobody is authenticated but once, and nothing is limited. The server as it is
 * less this one is what accounts and limits cost. DIST is the folder of the build.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const built = (file) => import(pathToFileURL(join(process.env.DIST, file)).href);

const { RateLimitGuard } = await built('http/guards/rate-limit.guard.js');
const { setPrincipal, callerOf } = await built('http/context/principal.js');
const { LeaseBudget } = await built('features/limits/lease-budget.js');

/** Who made the first request that had credentials makes all others: usage records have to be somebody's. */
let principal;

RateLimitGuard.prototype.canActivate = async function (context) {
  const request = context.switchToHttp().getRequest();
  if (principal === undefined) {
    await this.auth.canActivate(context);
    principal = callerOf(request);
  } else {
    setPrincipal(request, principal, this.auth.activities);
  }
  return true;
};

LeaseBudget.prototype.reserve = async () => ({ settle: () => undefined });
