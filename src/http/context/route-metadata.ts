import { applyDecorators, type ExecutionContext, SetMetadata } from '@nestjs/common';
import { ApiSecurity } from '@nestjs/swagger';
import { type ScopeName, SCOPES } from './authenticator.js';

const PUBLIC = 'parley:public';
const SCOPE = 'parley:scope';
const FIELD_SCOPE = 'parley:field-scope';
const ADMIN_ONLY = 'parley:admin-only';
const MODEL_ROUTE = 'parley:model-route';
const FORM_ROUTE = 'parley:form-route';

/** Makes a route public. Without it, a route needs credentials. */
export function Public(): MethodDecorator & ClassDecorator {
  return applyDecorators(SetMetadata(PUBLIC, true), ApiSecurity({}));
}

/**
 * Opens a route to API keys with this scope. A route without it needs `admin`: either it concerns the account itself,
 * or the decorator was forgotten, and then a key must not open the route.
 */
export function Scope(scope: ScopeName): MethodDecorator & ClassDecorator {
  return SetMetadata(SCOPE, scope);
}

/** Requires a further scope of requests whose body has this field, because it reaches what the scope is for. */
export function FieldScope(field: string, scope: ScopeName): MethodDecorator {
  return SetMetadata(FIELD_SCOPE, [field, scope]);
}

/** Restricts a route to admins. */
export function AdminOnly(): MethodDecorator & ClassDecorator {
  return SetMetadata(ADMIN_ONLY, true);
}

/** Marks a route that reaches a model: it has a limit of its own and reports the state of that limit. */
export function ModelRoute(): MethodDecorator {
  return SetMetadata(MODEL_ROUTE, true);
}

/** Marks a route whose body is a form with a file: instead of JSON, or as well as JSON. */
export function FormRoute(forms: 'only' | 'or_json' = 'only'): MethodDecorator {
  return SetMetadata(FORM_ROUTE, forms);
}

/** The values of a route's decorators; those of the method take precedence over those of the class. */
export interface RouteMetadata {
  readonly isPublic: boolean;
  readonly scope: ScopeName;
  /** A field of the body that needs a further scope. */
  readonly fieldScope: { readonly field: string; readonly scope: ScopeName } | undefined;
  readonly adminOnly: boolean;
  readonly reachesModel: boolean;
  readonly forms: 'none' | 'only' | 'or_json';
}

/**
 * Caches by controller and method, because several controllers may inherit a method. Reading metadata by reflection
 * on each request costs more than all other uses of it.
 */
const known = new WeakMap<object, WeakMap<object, RouteMetadata>>();

/** Returns the metadata of the route that a request matched. */
export function routeMetadataOf(context: ExecutionContext): RouteMetadata {
  const controller = context.getClass();
  const method = context.getHandler();
  return known.get(controller)?.get(method) ?? rememberMarks(controller, method);
}

function rememberMarks(controller: object, method: object): RouteMetadata {
  const ofController = known.get(controller) ?? new WeakMap<object, RouteMetadata>();
  known.set(controller, ofController);
  const marks = readMarks([method, controller]);
  ofController.set(method, marks);
  return marks;
}

function readMarks(places: readonly object[]): RouteMetadata {
  const marked = (mark: string): unknown =>
    places.map((place): unknown => Reflect.getMetadata(mark, place)).find((value) => value !== undefined);
  return {
    isPublic: marked(PUBLIC) === true,
    scope: scopeOf(marked(SCOPE)),
    fieldScope: fieldScopeOf(marked(FIELD_SCOPE)),
    adminOnly: marked(ADMIN_ONLY) === true,
    reachesModel: marked(MODEL_ROUTE) === true,
    forms: formsOf(marked(FORM_ROUTE)),
  };
}

function formsOf(mark: unknown): RouteMetadata['forms'] {
  return mark === 'only' || mark === 'or_json' ? mark : 'none';
}

function fieldScopeOf(mark: unknown): RouteMetadata['fieldScope'] {
  if (!Array.isArray(mark)) return undefined;
  const values: readonly unknown[] = mark;
  const [field, scope] = values;
  return typeof field === 'string' ? { field, scope: scopeOf(scope) } : undefined;
}

function scopeOf(mark: unknown): ScopeName {
  return SCOPES.find((scope) => scope === mark) ?? 'admin';
}
