import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** What `@nestjs/common` exports that speaks of HTTP statuses; a test compares the list with the package. */
export const nestHttpNames = [
  'BadGatewayException',
  'BadRequestException',
  'ConflictException',
  'ForbiddenException',
  'GatewayTimeoutException',
  'GoneException',
  'HttpException',
  'HttpStatus',
  'HttpVersionNotSupportedException',
  'ImATeapotException',
  'InternalServerErrorException',
  'MethodNotAllowedException',
  'MisdirectedException',
  'NotAcceptableException',
  'NotFoundException',
  'NotImplementedException',
  'PayloadTooLargeException',
  'PreconditionFailedException',
  'RequestTimeoutException',
  'ServiceUnavailableException',
  'UnauthorizedException',
  'UnprocessableEntityException',
  'UnsupportedMediaTypeException',
];

const environmentMessage = 'Only src/config reads the environment: inject the configuration instead.';
const configServiceMessage =
  'Inject the section of the configuration that is needed: ConfigService has all of them, secrets included.';
const httpMessage =
  'Throw an AppError with a code: only src/http, src/gateway, controllers and guards know HTTP statuses.';

const environmentSyntax = {
  selector: "MemberExpression[property.name='env'][object.property.name='process']",
  message: environmentMessage,
};
const privateFieldSyntax = {
  selector: 'PrivateIdentifier',
  message: 'Write `private readonly name` (or `private name`): classes here have no #private members.',
};
/** An assertion about the clock, which fails on a machine that is slow enough. */
const timedAssertion = {
  selector:
    'CallExpression[callee.property.name=/^toBeLessThan/]:has(MemberExpression[object.name="performance"])',
  message:
    'A busy machine may be ten times slower. Await the event, or make the other way to it impossible; bench/ measures time.',
};

const constantSyntax = {
  selector:
    ":matches(Program, Program > ExportNamedDeclaration) > VariableDeclaration[kind='const'] > " +
    'VariableDeclarator[id.name=/^[a-z]/]' +
    '[init.type=/^(Literal|TemplateLiteral|ArrayExpression|ObjectExpression|TSAsExpression|TSSatisfiesExpression)$/]',
  message: 'Constants of a module have UPPER_CASE names.',
};
const LOWER_CASE_SQL =
  '/(^|;|\\n)\\s*(select\\s.*\\sfrom|select \\w+\\(|insert into|delete from|update \\w+ set|set \\w+ (=|to)|create (table|database|index))\\s?/';
const sqlSyntax = ['Literal[value=', 'TemplateElement[value.raw='].map((node) => ({
  selector: `${node}${LOWER_CASE_SQL}]`,
  message: 'Write SQL keywords in upper case.',
}));

const nodeGlobals = Object.fromEntries(
  [
    'AbortController',
    'AbortSignal',
    'Blob',
    'Buffer',
    'FormData',
    'URL',
    'URLSearchParams',
    'TextDecoder',
    'TextEncoder',
    'clearInterval',
    'clearTimeout',
    'console',
    'fetch',
    'performance',
    'process',
    'setImmediate',
    'setInterval',
    'setTimeout',
    'structuredClone',
  ].map((name) => [name, 'readonly']),
);

export default defineConfig(
  globalIgnores(['dist', 'coverage', 'src/generated', 'node_modules', '.data']),
  { linterOptions: { reportUnusedDisableDirectives: 'error', reportUnusedInlineConfigs: 'error' } },

  {
    files: ['**/*.{js,mjs,cjs}'],
    extends: [js.configs.recommended],
    languageOptions: { ecmaVersion: 'latest', globals: nodeGlobals },
    rules: { eqeqeq: 'error', 'prefer-const': 'error', 'no-var': 'error' },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: {
      sourceType: 'commonjs',
      globals: { module: 'writable', require: 'readonly', __dirname: 'readonly' },
    },
  },

  {
    files: ['**/*.ts'],
    extends: [
      js.configs.recommended,
      tseslint.configs.strictTypeChecked,
      tseslint.configs.stylisticTypeChecked,
    ],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: 'error',
      // Leaves every import alone in a file with decorators, where an injected class must stay a value.
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/no-floating-promises': 'error',
      // A Nest module is a decorated class without members.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      // DTO classes describe shapes for validation and OpenAPI; answers are plain objects of those shapes.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // OpenAI's successor of `max_tokens` is not known to most hosts with its API format, and `seed`, which it may
      // drop, is a firm promise of others.
      '@typescript-eslint/no-deprecated': ['error', { allow: ['max_tokens', 'seed', 'user'] }],
      // Leaving a field out of an object is what the rest of it is for.
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      // `Promise.withResolvers<void>()` is the plain way to wait for a moment.
      '@typescript-eslint/no-invalid-void-type': ['error', { allowInGenericTypeArguments: true }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
    },
  },

  {
    files: ['src/**/*.ts'],
    rules: { 'no-console': 'error' },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['**/*.spec.ts'],
    rules: { 'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }] },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/config/**'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: environmentMessage },
      ],
      'no-restricted-imports': [
        'error',
        {
          paths: [
            ...['process', 'node:process'].map((name) => ({
              name,
              importNames: ['env'],
              message: environmentMessage,
            })),
            { name: '@nestjs/config', importNames: ['ConfigService'], message: configServiceMessage },
          ],
        },
      ],
      'no-restricted-syntax': ['error', environmentSyntax, privateFieldSyntax, constantSyntax, ...sqlSyntax],
    },
  },
  // The blocks below repeat the list above for files with fewer rules: a later list replaces an earlier one.
  {
    files: ['src/config/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', privateFieldSyntax, constantSyntax, ...sqlSyntax] },
  },
  {
    files: ['src/**/*.spec.ts'],
    rules: {
      'no-restricted-syntax': ['error', environmentSyntax, privateFieldSyntax, timedAssertion, ...sqlSyntax],
    },
  },
  { files: ['test/**/*.ts'], rules: { 'no-restricted-syntax': ['error', timedAssertion] } },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/http/**', 'src/gateway/**', '**/*.controller.ts', '**/*.guard.ts', '**/*.spec.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        { paths: [{ name: '@nestjs/common', importNames: nestHttpNames, message: httpMessage }] },
      ],
    },
  },
  {
    files: ['test/**/*.ts', '**/*.spec.ts'],
    rules: {
      // Fakes implement asynchronous interfaces without having anything to wait for.
      '@typescript-eslint/require-await': 'off',
    },
  },
);
