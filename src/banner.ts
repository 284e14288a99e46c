import type { AppConfig } from './config/index.js';

/** Most model names that the banner shows. */
const SHOWN_MODELS = 5;

/** What a person who started Parley wants to know. */
export function banner(facts: {
  readonly config: AppConfig;
  readonly database: string;
  readonly url: string;
  readonly models: readonly string[];
}): string {
  const { config, database, url, models } = facts;
  const shown =
    models.slice(0, SHOWN_MODELS).join(', ') + (models.length > SHOWN_MODELS ? `, … (${models.length})` : '');
  const demoOnly = models.every((name) => name.startsWith('demo/'));
  return `
Parley ${config.version} is ready.

  API        ${url}
  Swagger    ${url}/docs   (ReDoc: ${url}/redoc)
  Database   ${database}
  Queue      ${config.redisUrl === undefined ? 'BullMQ on PostgreSQL' : 'BullMQ on Redis'}, jobs ${config.worker === 'inline' ? 'in this process' : 'in worker processes'}
  Models     ${shown}${demoOnly ? '\n             only the demo; set OPENAI_API_KEY or OPENAI_BASE_URL for a real one' : ''}

Try it:

  TOKEN=$(curl -s ${url}/api/v1/auth/register -H 'content-type: application/json' \\
    -d '{"email":"you@example.com","password":"a long password"}' | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
  curl -N ${url}/api/v1/chat/stream -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' \\
    -d '{"message":"Hello!"}'

Ctrl-C stops it.
`;
}
