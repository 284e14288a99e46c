/*
 * The direction of imports:
 * main, worker, admin, migrate → app → gateway → features → {llm, http} → {infra, config, common}.
 * Every rule has a planted violation in test/static/dependency-rules.spec.ts. Specs may import what they like.
 */

/** The features that all of them may use. */
const shared = ['usage', 'audit'];

/** The features that a feature may use next to those. */
const featureReach = {
  limits: ['users'],
  auth: ['users', 'api-keys'],
  analysis: ['chat', 'files'],
  chat: ['rag', 'files'],
  rag: ['files'],
  batches: ['files', 'webhooks'],
  'queue-dashboard': ['auth'],
};

/** The infra folders that another one may use. */
const infraReach = { queue: ['redis'] };

/**
 * Folders of folders: each imports from the rows below its own only. Folders of one row do not know each other, and none
 * knows the files beside them, such as the module that puts them together.
 */
const folderRows = {
  'features/chat': [
    ['sharing', 'import-export'],
    ['conversations'],
    ['turns'],
    ['generation'],
    ['tasks', 'recovery'],
    ['context', 'streams'],
    ['messages'],
    ['attachments'],
    ['model'],
  ],
  'features/rag': [['search', 'documents'], ['collections', 'ingest'], ['chunks'], ['model']],
  'features/batches': [['batches'], ['running'], ['ending', 'input'], ['rows'], ['model']],
  'features/webhooks': [['endpoints', 'delivery'], ['outbox', 'network', 'secrets'], ['model']],
  http: [['body'], ['server', 'guards', 'response', 'openapi'], ['errors'], ['context']],
  llm: [
    ['execution'],
    ['models'],
    ['cache'],
    ['providers', 'resilience'],
    ['transport', 'accounting'],
    ['port'],
  ],
};

/** Folders that have stricter rules of their own. */
const ownRules = ['llm/port', 'llm/providers'];

/** The files that node starts, so that nothing imports them. */
const entryPoints = [
  '^src/(main|worker|admin|migrate)\\.ts$',
  // Programs that text-extractor.ts starts.
  '^src/features/files/extraction/(extraction-child|watchdog)\\.ts$',
];

const specs = '\\.spec\\.ts$';

/** @type {(name: string, comment: string, from: object, to: object) => object} */
const forbid = (name, comment, { pathNot = [], ...from }, to) => ({
  name,
  comment,
  severity: 'error',
  from: { ...from, pathNot: [specs, ...pathNot] },
  to,
});

/** A folder that may import from nowhere in src but from the named folders. */
const onlyFrom = (name, comment, from, folders) =>
  forbid(name, comment, from, { path: '^src/', pathNot: folders.map((folder) => `^src/${folder}`) });

const layers = [
  onlyFrom('common-imports-nothing-of-ours', 'common/ is below everything.', { path: '^src/common/' }, [
    'common/',
  ]),
  forbid(
    'common-without-nest',
    'common/ is plain TypeScript.',
    { path: '^src/common/' },
    { path: '(^|/)@nestjs/' },
  ),
  onlyFrom('config-imports-common', 'config/ knows only common/.', { path: '^src/config/' }, [
    'config/',
    'common/',
  ]),
  onlyFrom('infra-imports-below', 'infra/ knows config/ and common/.', { path: '^src/infra/' }, [
    'infra/',
    'config/',
    'common/',
    'generated/',
  ]),
  onlyFrom('http-imports-below', 'http/ knows infra/, config/ and common/.', { path: '^src/http/' }, [
    'http/',
    'infra/',
    'config/',
    'common/',
  ]),
  onlyFrom(
    'features-import-below',
    'A feature knows features, llm/, http/, infra/, config/ and common/.',
    { path: '^src/features/' },
    ['features/', 'llm/', 'http/', 'infra/', 'config/', 'common/', 'generated/'],
  ),
  onlyFrom('gateway-imports-below', 'gateway/ knows all but the roots.', { path: '^src/gateway/' }, [
    'gateway/',
    'features/',
    'llm/',
    'http/',
    'infra/',
    'config/',
    'common/',
    'generated/',
  ]),
  forbid(
    'only-known-folders',
    'A new top-level folder needs a place in these rules.',
    { path: '^src/' },
    {
      path: '^src/[^/]+/',
      pathNot: '^src/(common|config|infra|http|llm|features|gateway|app|generated)/',
    },
  ),
  forbid(
    'src-imports-src',
    'What is shipped imports neither tests nor scripts nor build output.',
    { path: '^src/' },
    { path: '^(?!src/|node_modules/)', dependencyTypes: ['local'] },
  ),
];

const infra = [
  forbid(
    'infra-folders-are-separate',
    'One folder a technology: what two of them share belongs to config/ or common/.',
    {
      path: '^src/infra/([^/]+)',
      pathNot: Object.keys(infraReach).map((folder) => `^src/infra/${folder}/`),
    },
    { path: '^src/infra/', pathNot: '^src/infra/$1/' },
  ),
  ...Object.entries(infraReach).map(([folder, reach]) =>
    forbid(
      `infra-${folder}-reaches-only-listed`,
      `infra/${folder} may use ${reach.join(', ')} only.`,
      { path: `^src/infra/${folder}/` },
      { path: '^src/infra/', pathNot: `^src/infra/(${[folder, ...reach].join('|')})/` },
    ),
  ),
];

const database = [
  forbid(
    'generated-client-only-in-repositories',
    'Only repositories (and infra/database) touch Prisma.',
    { path: '^src/', pathNot: ['\\.(repository|sql)\\.ts$', '^src/infra/database/', '^src/generated/'] },
    { path: '^src/generated/' },
  ),
  forbid(
    'database-only-in-repositories',
    'Only repositories use the database; modules, health checks, metrics and the processes wire it.',
    {
      path: '^src/',
      pathNot: [
        '\\.(repository|sql)\\.ts$',
        '\\.module\\.ts$',
        '\\.health\\.ts$',
        '^src/infra/',
        '^src/(common|config)/',
        '^src/(main|worker|admin|app/(process-lifecycle|runtime-metrics|worker-server))\\.ts$',
      ],
    },
    { path: '^src/infra/database/' },
  ),
  forbid(
    'prisma-service-only-in-repositories',
    'Modules and processes wire the database; they do not query it.',
    { path: '^src/', pathNot: ['\\.(repository|sql)\\.ts$', '^src/infra/'] },
    { path: '^src/infra/database/prisma[^/]*\\.service\\.ts$' },
  ),
];

const llm = [
  onlyFrom(
    'llm-imports-below',
    'llm/ knows infra/, config/ and common/.',
    { path: '^src/llm/', pathNot: ['^src/llm/(port|providers)/'] },
    ['llm/', 'infra/', 'config/', 'common/'],
  ),
  forbid(
    'llm-port-is-pure',
    'llm/port is types and abstract classes: common/ and the types of openai, nothing else.',
    { path: '^src/llm/port/' },
    { pathNot: ['^src/llm/port/', '^src/common/', '(^|node_modules/)openai/'] },
  ),
  forbid(
    'llm-port-openai-types-only',
    'The port takes the types of openai, not its code.',
    { path: '^src/llm/port/' },
    { path: '(^|node_modules/)openai/', dependencyTypesNot: ['type-only'] },
  ),
  onlyFrom(
    'llm-providers-know-only-the-port',
    'A provider knows the port, common/ and its own folder.',
    { path: '^src/llm/providers/([^/]+)' },
    ['llm/port/', 'llm/transport/', 'common/', 'llm/providers/$1/'],
  ),
  forbid(
    'llm-only-through-index',
    'Outside llm/ there is only llm/index.ts.',
    { path: '^src/', pathNot: ['^src/llm/'] },
    { path: '^src/llm/', pathNot: '^src/llm/index\\.ts$' },
  ),
];

const featureNames = Object.keys(featureReach).join('|');
const features = [
  forbid(
    'features-only-through-index',
    'A feature shows others its index.ts and nothing else.',
    { path: '^src/features/([^/]+)' },
    { path: '^src/features/', pathNot: ['^src/features/$1/', '^src/features/[^/]+/index\\.ts$'] },
  ),
  forbid(
    'features-only-through-index-from-above',
    'The gateway and the roots use the index.ts of a feature.',
    { path: '^src/(gateway/|app/|[^/]+\\.ts$)' },
    { path: '^src/features/', pathNot: '^src/features/[^/]+/index\\.ts$' },
  ),
  forbid(
    'features-reach-only-usage',
    'A feature that the list does not name reaches no other but usage and audit.',
    { path: '^src/features/([^/]+)', pathNot: [`^src/features/(${featureNames})/`] },
    { path: '^src/features/', pathNot: `^src/features/($1|${shared.join('|')})/` },
  ),
  ...Object.entries(featureReach).map(([feature, reach]) =>
    forbid(
      `features-${feature}-reaches-only-listed`,
      `${feature} may use ${[...reach, ...shared].join(', ')}.`,
      { path: `^src/features/${feature}/` },
      { path: '^src/features/', pathNot: `^src/features/(${[feature, ...reach, ...shared].join('|')})/` },
    ),
  ),
  forbid(
    'http-only-at-the-edge-of-features',
    'Services, repositories and mappers know nothing of HTTP.',
    {
      path: '^src/features/',
      pathNot: [
        '\\.(controller|module|guard|filter|dto|authenticator|limiter|openapi)\\.ts$',
        '-(responder|receiver)\\.ts$',
      ],
    },
    { path: '^src/http/' },
  ),
];

const processes = [
  forbid(
    'roots-only-from-processes',
    'The composition roots belong to main.ts and worker.ts, and to the application that main.ts starts.',
    { path: '^src/', pathNot: ['^src/(main|worker|admin|app/api\\.application)\\.ts$'] },
    { path: '^src/app/(api|worker|admin)\\.module\\.ts$' },
  ),
  forbid(
    'processes-are-not-imported',
    'main.ts, worker.ts, admin.ts and migrate.ts are started, not imported.',
    { path: '^src/' },
    { path: '^src/(main|worker|admin|migrate)\\.ts$' },
  ),
];

const folders = Object.entries(folderRows).flatMap(([base, rows]) =>
  rows.flatMap((row, index) =>
    row
      .filter((folder) => !ownRules.includes(`${base}/${folder}`))
      .map((folder) =>
        forbid(
          `${base}/${folder}-imports-down`,
          `${base}/${folder} knows the folders of the rows below it.`,
          { path: `^src/${base}/${folder}/` },
          {
            path: `^src/${base}/`,
            pathNot: `^src/${base}/(${[folder, ...rows.slice(index + 1).flat()].join('|')})/`,
          },
        ),
      ),
  ),
);

const hygiene = [
  forbid('no-circular', 'No import leads back to itself.', { path: '^src/' }, { circular: true }),
  {
    name: 'no-orphans',
    comment: 'A file that nothing but its own spec imports is dead.',
    severity: 'error',
    from: { path: '^src/', pathNot: specs },
    module: {
      path: '^src/',
      pathNot: [specs, '^src/generated/', ...entryPoints],
      numberOfDependentsLessThan: 1,
    },
  },
  {
    name: 'specs-are-not-imported',
    comment: 'What two specs share lives in test/support.',
    severity: 'error',
    from: {},
    to: { path: specs },
  },
  forbid(
    'no-dev-dependencies',
    'A production install has no devDependencies.',
    { path: '^src/' },
    { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
  ),
  forbid(
    'no-undeclared-packages',
    'package.json names every package that src imports.',
    { path: '^src/' },
    { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
  ),
  forbid('no-unresolvable', 'Every import exists.', { path: '^src/' }, { couldNotResolve: true }),
];

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [...layers, ...infra, ...database, ...llm, ...features, ...folders, ...processes, ...hygiene],
  options: {
    doNotFollow: { path: ['(^|/)node_modules/', '^src/generated/', '^(test|scripts)/'] },
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.d.ts', '.mjs', '.js', '.json'],
    },
  },
};
