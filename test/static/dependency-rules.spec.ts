// Mostly one table: each import rule with the imports that it must reject and those that it must allow.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { cruise } from 'dependency-cruiser';
import type { ICruiseOptions, IForbiddenRuleType } from 'dependency-cruiser';

interface RuleFile {
  default: { forbidden: (IForbiddenRuleType & { name: string })[]; options: ICruiseOptions };
}

const rulesPath = join(import.meta.dirname, '../../.dependency-cruiser.mjs');
const { forbidden, options } = ((await import(pathToFileURL(rulesPath).href)) as RuleFile).default;

/**
 * Imports that each rule must reject, one at a time, and similar imports that it must allow. `a > b` imports
 * a value, `a >> b` a type only, `&` joins two imports; a target outside src/, test/ and dist/ is a package.
 */
const cases: Record<string, { planted: string[]; lawful: string[] }> = {
  'common-imports-nothing-of-ours': {
    planted: ['src/common/a.ts > src/config/b.ts', 'src/common/a.ts >> src/llm/index.ts'],
    lawful: ['src/common/a.ts > src/common/b.ts', 'src/common/a.ts > node:crypto'],
  },
  'common-without-nest': {
    planted: ['src/common/a.ts > @nestjs/common', 'src/common/a.ts >> @nestjs/common'],
    lawful: ['src/common/a.ts > uuid', 'src/config/a.ts > @nestjs/common'],
  },
  'config-imports-common': {
    planted: ['src/config/a.ts > src/infra/queue/b.ts', 'src/config/a.ts > src/http/b.ts'],
    lawful: ['src/config/a.ts > src/common/b.ts'],
  },
  'infra-imports-below': {
    planted: ['src/infra/cache/a.ts > src/http/b.ts', 'src/infra/cache/a.ts > src/llm/index.ts'],
    lawful: ['src/infra/cache/a.ts > src/config/b.ts', 'src/infra/cache/a.ts > src/common/b.ts'],
  },
  'infra-folders-are-separate': {
    planted: ['src/infra/cache/a.ts > src/infra/redis/b.ts', 'src/infra/redis/a.ts > src/infra/queue/b.ts'],
    lawful: ['src/infra/cache/a.ts > src/infra/cache/b.ts'],
  },
  'infra-queue-reaches-only-listed': {
    planted: ['src/infra/queue/a.ts > src/infra/storage/b.ts'],
    lawful: ['src/infra/queue/a.ts > src/infra/redis/b.ts', 'src/infra/queue/a.ts > src/infra/queue/b.ts'],
  },
  'http-imports-below': {
    planted: ['src/http/a.ts > src/llm/index.ts', 'src/http/a.ts > src/features/auth/index.ts'],
    lawful: ['src/http/a.ts > src/infra/redis/b.ts', 'src/http/a.ts > src/config/b.ts'],
  },
  'llm-imports-below': {
    planted: ['src/llm/a.ts > src/http/b.ts', 'src/llm/cache/a.ts > src/features/usage/index.ts'],
    lawful: ['src/llm/a.ts > src/llm/providers/demo/b.ts', 'src/llm/a.ts > src/infra/cache/b.ts'],
  },
  'llm-port-is-pure': {
    planted: [
      'src/llm/port/a.ts > src/config/b.ts',
      'src/llm/port/a.ts > src/llm/b.ts',
      'src/llm/port/a.ts >> @nestjs/common',
      'src/llm/port/a.ts > node:crypto',
    ],
    lawful: ['src/llm/port/a.ts > src/common/b.ts', 'src/llm/port/a.ts > src/llm/port/b.ts'],
  },
  'llm-port-openai-types-only': {
    planted: ['src/llm/port/a.ts > openai'],
    lawful: ['src/llm/port/a.ts >> openai', 'src/llm/providers/openai/a.ts > openai'],
  },
  'llm-providers-know-only-the-port': {
    planted: [
      'src/llm/providers/openai/a.ts > src/llm/providers/demo/b.ts',
      'src/llm/providers/openai/a.ts > src/llm/b.ts',
      'src/llm/providers/openai/a.ts > src/config/b.ts',
    ],
    lawful: [
      'src/llm/providers/openai/a.ts > src/llm/port/b.ts',
      'src/llm/providers/openai/a.ts > src/llm/providers/openai/b.ts',
      'src/llm/providers/openai/a.ts > src/common/b.ts',
    ],
  },
  'llm-only-through-index': {
    planted: [
      'src/features/chat/chat.service.ts > src/llm/port/b.ts',
      'src/gateway/openai/a.ts > src/llm/llm.service.ts',
      'src/app/api.module.ts > src/llm/llm.module.ts',
    ],
    lawful: [
      'src/features/chat/chat.service.ts > src/llm/index.ts',
      'src/app/api.module.ts > src/llm/index.ts',
    ],
  },
  'features-import-below': {
    planted: [
      'src/features/chat/a.ts > src/gateway/openai/b.ts',
      'src/features/chat/a.ts > src/app/process-lifecycle.ts',
    ],
    lawful: ['src/features/chat/a.ts > src/infra/queue/b.ts', 'src/features/chat/a.ts > src/config/b.ts'],
  },
  'features-only-through-index': {
    planted: [
      'src/features/chat/chat.service.ts > src/features/usage/usage.service.ts',
      'src/features/chat/chat.service.ts >> src/features/rag/rag.dto.ts',
    ],
    lawful: ['src/features/chat/chat.service.ts > src/features/usage/index.ts'],
  },
  'features-only-through-index-from-above': {
    planted: [
      'src/gateway/openai/a.ts > src/features/chat/chat.service.ts',
      'src/app/api.module.ts > src/features/chat/chat.module.ts',
    ],
    lawful: [
      'src/gateway/openai/a.ts > src/features/chat/index.ts',
      'src/app/api.module.ts > src/features/chat/index.ts',
    ],
  },
  'features-reach-only-usage': {
    planted: [
      'src/features/users/a.ts > src/features/chat/index.ts',
      'src/features/usage/a.ts > src/features/users/index.ts',
    ],
    lawful: ['usage', 'audit'].map((to) => `src/features/users/a.ts > src/features/${to}/index.ts`),
  },
  'features-limits-reaches-only-listed': {
    planted: ['src/features/limits/a.ts > src/features/chat/index.ts'],
    lawful: ['src/features/limits/a.ts > src/features/users/index.ts'],
  },
  'features-auth-reaches-only-listed': {
    planted: ['src/features/auth/a.ts > src/features/chat/index.ts'],
    lawful: ['users', 'api-keys', 'usage'].map(
      (to) => `src/features/auth/a.ts > src/features/${to}/index.ts`,
    ),
  },
  'features-analysis-reaches-only-listed': {
    planted: ['src/features/analysis/a.ts > src/features/users/index.ts'],
    lawful: ['chat', 'files', 'usage'].map(
      (to) => `src/features/analysis/a.ts > src/features/${to}/index.ts`,
    ),
  },
  'features-chat-reaches-only-listed': {
    planted: ['src/features/chat/a.ts > src/features/users/index.ts'],
    lawful: ['rag', 'files', 'usage'].map((to) => `src/features/chat/a.ts > src/features/${to}/index.ts`),
  },
  'features-rag-reaches-only-listed': {
    planted: ['src/features/rag/a.ts > src/features/chat/index.ts'],
    lawful: ['files', 'usage'].map((to) => `src/features/rag/a.ts > src/features/${to}/index.ts`),
  },
  'features-batches-reaches-only-listed': {
    planted: ['src/features/batches/a.ts > src/features/rag/index.ts'],
    lawful: ['files', 'webhooks', 'usage'].map(
      (to) => `src/features/batches/a.ts > src/features/${to}/index.ts`,
    ),
  },
  'features-queue-dashboard-reaches-only-listed': {
    planted: ['src/features/queue-dashboard/a.ts > src/features/users/index.ts'],
    lawful: ['auth', 'audit'].map((to) => `src/features/queue-dashboard/a.ts > src/features/${to}/index.ts`),
  },
  'http-only-at-the-edge-of-features': {
    planted: ['service', 'repository', 'mapper', 'processor', 'errors'].map(
      (kind) => `src/features/chat/chat.${kind}.ts > src/http/b.ts`,
    ),
    lawful: ['controller', 'module', 'guard', 'filter', 'dto', 'authenticator'].map(
      (kind) => `src/features/chat/chat.${kind}.ts > src/http/b.ts`,
    ),
  },
  'gateway-imports-below': {
    planted: ['src/gateway/openai/a.ts > src/app/process-lifecycle.ts'],
    lawful: ['src/gateway/openai/a.ts > src/http/b.ts', 'src/gateway/openai/a.ts > src/llm/index.ts'],
  },
  'roots-only-from-processes': {
    planted: [
      'src/app/worker.module.ts > src/app/api.module.ts',
      'src/app/process-lifecycle.ts > src/app/worker.module.ts',
    ],
    lawful: [
      'src/main.ts > src/app/api.module.ts',
      'src/app/api.application.ts > src/app/api.module.ts',
      'src/worker.ts > src/app/worker.module.ts',
      'src/app/api.module.spec.ts > src/app/api.module.ts',
    ],
  },
  'processes-are-not-imported': {
    planted: [
      'src/worker.ts > src/main.ts',
      'src/app/api.module.ts > src/worker.ts',
      'src/main.ts > src/migrate.ts',
    ],
    lawful: ['src/worker.ts > src/app/process-lifecycle.ts'],
  },
  'generated-client-only-in-repositories': {
    planted: [
      'src/features/chat/chat.service.ts > src/generated/prisma/client.ts',
      'src/features/chat/chat.mapper.ts >> src/generated/prisma/client.ts',
      'src/features/chat/chat.module.ts > src/generated/prisma/client.ts',
      'src/infra/queue/a.ts > src/generated/prisma/client.ts',
    ],
    lawful: [
      'src/features/chat/chat.repository.ts > src/generated/prisma/client.ts',
      'src/features/chat/chat.sql.ts > src/generated/prisma/client.ts',
      'src/infra/database/a.ts > src/generated/prisma/client.ts',
    ],
  },
  'database-only-in-repositories': {
    planted: [
      'src/features/chat/chat.service.ts > src/infra/database/index.ts',
      'src/features/chat/chat.controller.ts > src/infra/database/index.ts',
      'src/http/a.ts > src/infra/database/index.ts',
    ],
    lawful: [
      'src/features/chat/chat.repository.ts > src/infra/database/index.ts',
      'src/features/chat/chat.module.ts > src/infra/database/index.ts',
      'src/features/health/database.health.ts > src/infra/database/index.ts',
      'src/main.ts > src/infra/database/embedded-server.ts',
      'src/app/process-lifecycle.ts > src/infra/database/index.ts',
      'src/app/worker-server.ts > src/infra/database/index.ts',
      'src/app/runtime-metrics.ts > src/infra/database/index.ts',
    ],
  },
  'prisma-service-only-in-repositories': {
    planted: [
      'src/features/chat/chat.module.ts > src/infra/database/prisma.service.ts',
      'src/main.ts > src/infra/database/prisma.service.ts',
    ],
    lawful: ['src/features/chat/chat.repository.ts > src/infra/database/prisma.service.ts'],
  },
  'only-known-folders': {
    planted: ['src/main.ts > src/utils/a.ts'],
    lawful: ['src/main.ts > src/common/a.ts'],
  },
  'src-imports-src': {
    planted: ['src/common/a.ts > test/support/b.ts', 'src/config/a.ts > dist/main.js'],
    lawful: ['src/common/a.spec.ts > test/support/b.ts'],
  },
  'no-circular': {
    planted: [
      'src/common/a.ts > src/common/b.ts & src/common/b.ts > src/common/a.ts',
      'src/config/a.ts >> src/config/b.ts & src/config/b.ts >> src/config/c.ts & src/config/c.ts > src/config/a.ts',
    ],
    lawful: ['src/config/a.ts >> src/config/b.ts'],
  },
  'no-orphans': {
    planted: ['src/common/dead.ts > node:crypto', 'src/common/dead.spec.ts > src/common/dead.ts'],
    lawful: ['main', 'worker', 'migrate'].map((name) => `src/${name}.ts > src/common/a.ts`),
  },
  'specs-are-not-imported': {
    planted: ['src/common/a.ts > src/common/b.spec.ts', 'src/common/a.spec.ts > src/common/b.spec.ts'],
    lawful: ['src/common/a.spec.ts > src/common/a.ts'],
  },
  'no-dev-dependencies': {
    planted: ['src/config/a.ts > jest'],
    lawful: ['src/http/a.ts >> express', 'src/config/a.ts > pg', 'src/config/a.spec.ts > jest'],
  },
  'no-undeclared-packages': {
    planted: ['src/config/a.ts > undeclared', 'src/config/a.ts >> undeclared'],
    lawful: ['src/config/a.ts > uuid'],
  },
  'no-unresolvable': {
    planted: ['src/config/a.ts > not-installed', 'src/config/a.ts > ./missing.js'],
    lawful: ['src/config/a.ts > node:fs'],
  },
};

/** Directories, each with a directory that it must not import and one that it may. */
const folderCases: Record<string, readonly (readonly [string, string, string | undefined])[]> = {
  'features/chat': [
    ['sharing', 'import-export', 'conversations'],
    ['import-export', 'sharing', 'model'],
    ['conversations', 'sharing', 'turns'],
    ['turns', 'conversations', 'generation'],
    ['generation', 'turns', 'tasks'],
    ['tasks', 'recovery', 'context'],
    ['recovery', 'generation', 'streams'],
    ['context', 'streams', 'messages'],
    ['streams', 'tasks', 'messages'],
    ['messages', 'context', 'attachments'],
    ['attachments', 'messages', 'model'],
    ['model', 'attachments', undefined],
  ],
  'features/rag': [
    ['search', 'documents', 'collections'],
    ['documents', 'search', 'ingest'],
    ['collections', 'ingest', 'chunks'],
    ['ingest', 'documents', 'chunks'],
    ['chunks', 'collections', 'model'],
    ['model', 'chunks', undefined],
  ],
  'features/batches': [
    ['batches', '.', 'running'],
    ['running', 'batches', 'ending'],
    ['ending', 'input', 'rows'],
    ['input', 'running', 'rows'],
    ['rows', 'ending', 'model'],
    ['model', 'rows', undefined],
  ],
  'features/webhooks': [
    ['endpoints', 'delivery', 'network'],
    ['delivery', 'endpoints', 'secrets'],
    ['outbox', 'delivery', 'model'],
    ['network', 'secrets', 'model'],
    ['secrets', 'endpoints', 'model'],
    ['model', 'outbox', undefined],
  ],
  http: [
    ['body', '.', 'guards'],
    ['server', 'body', 'errors'],
    ['guards', 'response', 'context'],
    ['response', 'body', 'errors'],
    ['openapi', 'server', 'errors'],
    ['errors', 'response', 'context'],
    ['context', 'errors', undefined],
  ],
  llm: [
    ['execution', '.', 'models'],
    ['models', 'execution', 'accounting'],
    ['cache', 'models', 'port'],
    ['resilience', 'cache', 'port'],
    ['transport', 'accounting', 'port'],
    ['accounting', 'resilience', 'port'],
  ],
};

for (const [base, rows] of Object.entries(folderCases)) {
  for (const [folder, above, below] of rows) {
    const file = `src/${base}/${folder}/a.ts`;
    cases[`${base}/${folder}-imports-down`] = {
      planted: [`${file} > ${join('src', base, above, 'b.ts')}`],
      lawful: below === undefined ? [] : [`${file} > src/${base}/${below}/b.ts`],
    };
  }
}

const packageJson = {
  dependencies: { '@nestjs/common': '1', openai: '1', pg: '1', uuid: '1' },
  devDependencies: { '@types/express': '1', '@types/pg': '1', jest: '1' },
};
const installed = ['@nestjs/common', 'openai', 'pg', 'uuid', 'jest', 'express', 'undeclared'];
const isOurs = (target: string) => /^(src|test|dist)\//.test(target);

/** Creates the files of a small project with only these imports. */
function filesOf(imports: readonly string[]): Map<string, string> {
  const files = new Map([['package.json', JSON.stringify(packageJson)]]);
  for (const name of installed) {
    files.set(`node_modules/${name}/package.json`, JSON.stringify({ name, main: 'index.js' }));
    files.set(`node_modules/${name}/index.js`, '');
  }
  for (const line of imports) {
    const [from = '', arrow, to = ''] = line.split(' ');
    const path = relative(dirname(from), to).replace(/^(?!\.)/, './');
    const specifier = isOurs(to) ? path.replace(/\.ts$/, '.js') : to;
    const statement = arrow === '>>' ? `import type * as T from '${specifier}';` : `import '${specifier}';`;
    if (isOurs(to) && !files.has(to)) files.set(to, '');
    files.set(from, `${files.get(from) ?? ''}${statement}\n`);
  }
  return files;
}

/** Imports that are checked together, and the rules that they break. */
interface Fragment {
  readonly rule: string;
  readonly imports: readonly string[];
  readonly broken: Set<string>;
}

const fragmentOf = (rule: string, imports: readonly string[]): Fragment => ({
  rule,
  imports,
  broken: new Set(),
});

const planted = Object.entries(cases).flatMap(([rule, { planted: lines }]) =>
  lines.map((line) => ({ rule, line, fragment: fragmentOf(rule, line.split(' & ')) })),
);
const lawful = Object.entries(cases).map(([rule, { lawful: lines }]) => ({
  rule,
  fragment: fragmentOf(rule, lines),
}));

const ourFilesOf = ({ imports }: Fragment): string[] =>
  imports.flatMap((line) => {
    const [from = '', , to = ''] = line.split(' ');
    return isOurs(to) ? [from, to] : [from];
  });

/**
 * Combines fragments without a common file, because checking the rules themselves dominates the cost of a
 * run.
 */
function groupsOf(fragments: readonly Fragment[]): Map<string, Fragment>[] {
  const groups: Map<string, Fragment>[] = [];
  for (const fragment of fragments) {
    const files = ourFilesOf(fragment);
    let group = groups.find((candidate) => !files.some((file) => candidate.has(file)));
    if (group === undefined) {
      group = new Map<string, Fragment>();
      groups.push(group);
    }
    for (const file of files) group.set(file, fragment);
  }
  return groups;
}

/** Finds the rules that each fragment of a group breaks. */
async function judge(group: ReadonlyMap<string, Fragment>, baseDir: string): Promise<void> {
  const imports = [...new Set(group.values())].flatMap((fragment) => fragment.imports);
  for (const [path, text] of filesOf(imports)) {
    await mkdir(join(baseDir, dirname(path)), { recursive: true });
    await writeFile(join(baseDir, path), text);
  }
  const { output } = await cruise(['src'], { ...options, baseDir, validate: true, ruleSet: { forbidden } });
  if (typeof output === 'string') throw new Error(output);
  for (const { rule, from } of output.summary.violations) {
    const fragment = group.get(from);
    if (fragment === undefined) throw new Error(`${rule.name} is broken by ${from}, which nobody planted.`);
    // Most files of a fragment are orphans, which counts only in the case for that rule.
    if (rule.name !== 'no-orphans' || fragment.rule === 'no-orphans') fragment.broken.add(rule.name);
  }
}

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-rules-'));
  try {
    for (const group of groupsOf([...planted, ...lawful].map(({ fragment }) => fragment)))
      await judge(group, await mkdtemp(join(folder, 'tree-')));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

describe('the import rules', () => {
  test('all have a case with a violation', () => {
    expect(Object.keys(cases).sort()).toEqual(forbidden.map(({ name }) => name).sort());
  });

  test.each(planted)('$rule rejects $line', ({ rule, fragment }) => {
    expect([...fragment.broken]).toEqual([rule]);
  });

  test.each(lawful)('$rule allows similar permitted imports', ({ fragment }) => {
    expect([...fragment.broken]).toEqual([]);
  });
});
