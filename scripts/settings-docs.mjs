// Writes the settings table (src/config/settings.ts) to .env.example, and to docs/configuration.md between the
// markers, grouped by subject. Run it after a build: `npm run docs:settings`.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { SETTINGS } from '../dist/config/settings.js';

const root = dirname(import.meta.dirname);
const page = join(root, 'docs', 'configuration.md');
const begin = '<!-- settings:begin -->';
const end = '<!-- settings:end -->';

/** The settings of each subject, in the order of the page. */
const groups = {
  Server: [
    'NODE_ENV',
    'HOST',
    'PORT',
    'WEB_CONCURRENCY',
    'SHUTDOWN_DELAY_S',
    'TRUST_PROXY',
    'CORS_ORIGINS',
    'WEBHOOK_ALLOWED_NETWORKS',
    'LOG_LEVEL',
    'METRICS_TOKEN',
  ],
  Storage: ['DATA_DIR', 'DATABASE_URL', 'DATABASE_POOL_MAX'],
  Files: [
    'MAX_UPLOAD_MB',
    'BATCH_MAX_INPUT_MB',
    'BATCH_CONCURRENCY',
    'S3_BUCKET',
    'S3_ENDPOINT',
    'S3_REGION',
    'UPLOAD_BUFFERS_MAX_MB',
  ],
  'Text extraction': [
    'EXTRACTION_PROCESSES',
    'EXTRACTION_TIMEOUT_S',
    'EXTRACTION_MEMORY_MB',
    'EXTRACTION_MAX_PAGES',
    'EXTRACTION_MAX_CHARACTERS',
    'EXTRACTION_MAX_ENTRIES',
    'EXTRACTION_MAX_INFLATED_MB',
  ],
  'Redis and jobs': ['REDIS_URL', 'REDIS_KEY_PREFIX', 'WORKER', 'WORKER_PORT'],
  'Accounts and secrets': [
    'AUTH_REGISTRATION',
    'JWT_SECRET',
    'JWT_SECRET_PREVIOUS',
    'ENCRYPTION_KEY',
    'ENCRYPTION_KEY_PREVIOUS',
  ],
  Providers: [
    'OPENAI_API_KEY',
    'OPENAI_BASE_URL',
    'ANTHROPIC_API_KEY',
    'ANTHROPIC_BASE_URL',
    'OLLAMA_BASE_URL',
    'LLM_HOSTS',
    'DEMO_TOKENS_PER_SECOND',
  ],
  Models: ['DEFAULT_MODEL', 'MODEL_ALIASES', 'MODEL_PRICES', 'MODEL_CONTEXT_WINDOWS'],
  'Calls to providers': [
    'LLM_MAX_CONCURRENCY',
    'LLM_MAX_QUEUE',
    'LLM_MAX_RETRIES',
    'LLM_CONNECT_TIMEOUT_MS',
    'LLM_FIRST_TOKEN_TIMEOUT_MS',
    'LLM_IDLE_TIMEOUT_MS',
    'LLM_ANSWER_TIMEOUT_MS',
    'LLM_TOTAL_TIMEOUT_MS',
  ],
  'Response cache': ['CACHE_TTL_S', 'CACHE_MAX_MB'],
  Conversations: [
    'CONTEXT_MAX_TOKENS',
    'CONTEXT_MAX_MESSAGES',
    'CONTEXT_FILES_MAX_MB',
    'TITLE_MODEL',
    'SUMMARY_MODEL',
  ],
  Retrieval: ['RAG_EMBEDDING_MODEL', 'RAG_VECTOR_WEIGHT', 'RAG_MIN_COSINE', 'RAG_RERANK_TIMEOUT_MS'],
  'Limits and quotas': [
    'RATE_LIMIT_IP_RPM',
    'RATE_LIMIT_RPM',
    'RATE_LIMIT_MODEL_RPM',
    'RATE_LIMIT_TPM',
    'RATE_LIMIT_CONCURRENCY',
    'QUOTA_TOKENS_DAY',
    'QUOTA_COST_MONTH_USD',
    'QUOTA_STORAGE_MB',
  ],
};

/** Checks that every setting is in exactly one group and that the groups contain only settings. */
function checkGroups(settings) {
  const grouped = Object.values(groups).flat();
  for (const name of Object.keys(settings)) {
    const count = grouped.filter((one) => one === name).length;
    if (count !== 1)
      throw new Error(`${name} is in ${count} groups of scripts/settings-docs.mjs, not in one.`);
  }
  const unknown = grouped.find((name) => !Object.hasOwn(settings, name));
  if (unknown !== undefined)
    throw new Error(`scripts/settings-docs.mjs groups ${unknown}, which is no setting.`);
}

/** Formats a default as code if it is a literal value, otherwise as the words that describe it. */
function defaultCell({ fallback, defaultLabel }) {
  return fallback === undefined ? defaultLabel : `\`${defaultLabel}\``;
}

function table(settings, names) {
  const rows = names.map((name) => {
    const setting = settings[name];
    return `| \`${name}\` | ${defaultCell(setting)} | ${setting.description.replaceAll('|', '\\|')} |`;
  });
  return ['| variable | default | description |', '| --- | --- | --- |', ...rows].join('\n');
}

function tables(settings) {
  return Object.entries(groups)
    .map(([title, names]) => `## ${title}\n\n${table(settings, names)}`)
    .join('\n\n');
}

function example(settings) {
  const entries = Object.entries(settings).map(([name, setting]) => {
    const { description, accepts, fallback, defaultLabel, secret } = setting;
    const value = fallback === undefined ? '' : defaultLabel;
    const notes = [
      `# ${description}.`,
      `# Accepts: ${accepts}.${value === '' ? ` Default: ${defaultLabel}.` : ''}${secret ? ' Never printed.' : ''}`,
    ];
    return `${notes.join('\n')}\n# ${name}=${value}\n`;
  });
  const head = [
    '# Every setting with its default. Copy this file to .env, remove the # of a line and set its value.',
    '# .env is read in development only, and variables of the environment take precedence over it.',
    '',
  ].join('\n');
  return [head, ...entries].join('\n');
}

function insert(text, content) {
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from === -1 || to < from) throw new Error(`${page} has no "${begin}" with "${end}" after it.`);
  return `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`;
}

checkGroups(SETTINGS);
writeFileSync(join(root, '.env.example'), example(SETTINGS));
const options = { ...(await resolveConfig(page)), filepath: page };
writeFileSync(page, await format(insert(readFileSync(page, 'utf8'), tables(SETTINGS)), options));
