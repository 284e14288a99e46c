import type { HealthBody } from './health.dto.js';
import type { Health } from './health.service.js';

/** Converts the health of the service to its API representation. */
export function toHealthBody(health: Health): HealthBody {
  const { status, version, database, redis } = health;
  const providers = health.providers.map(({ id, status: state, models }) => ({ id, status: state, models }));
  return { status, version, database, ...(redis && { redis }), providers };
}
