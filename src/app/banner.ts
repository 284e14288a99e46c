import type { AppConfig } from '../config/index.js';
import type { ProviderHealth } from '../llm/index.js';

/** Returns the summary that is printed at startup for the operator. */
export function formatBanner(facts: {
  readonly config: AppConfig;
  readonly database: string;
  readonly url: string;
  readonly providers: readonly ProviderHealth[];
  readonly defaultModel: string;
}): string {
  const { config, database, url, providers, defaultModel } = facts;
  const demoOnly = providers.every(({ id }) => id === 'demo');
  return `
Parley ${config.version} is ready.

  API        ${url}
  Swagger    ${url}/docs   (ReDoc: ${url}/redoc)
${processes(config)}  Database   ${database}
  Queue      ${config.redisUrl === undefined ? 'BullMQ on PostgreSQL' : 'BullMQ on Redis'}, jobs ${jobsPlace(config)}
  Providers  ${providers.map(shown).join(', ')}${demoOnly ? '\n             for a real model, set OPENAI_API_KEY, ANTHROPIC_API_KEY or OLLAMA_BASE_URL' : ''}
  Default    ${defaultModel}

Try it:

  TOKEN=$(curl -s ${url}/api/v1/auth/register -H 'content-type: application/json' \\
    -d '{"email":"you@example.com","password":"a long password"}' | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
  curl -N ${url}/api/v1/chat/stream -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' \\
    -d '{"message":"Hello!"}'

Press Ctrl-C to stop.
`;
}

function processes({ webConcurrency }: AppConfig): string {
  return webConcurrency > 1 ? `  Processes  ${String(webConcurrency)}, which share the port\n` : '';
}

function jobsPlace({ worker, webConcurrency }: AppConfig): string {
  if (worker === 'separate') return 'in worker processes';
  return webConcurrency > 1 ? 'in these processes' : 'in this process';
}

function shown({ id, status, models }: ProviderHealth): string {
  if (status === 'unavailable') return `${id} (unavailable)`;
  return `${id} (${models} ${models === 1 ? 'model' : 'models'})`;
}
