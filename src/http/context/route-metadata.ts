import { applyDecorators, type ExecutionContext, SetMetadata } from '@nestjs/common';
import { ApiSecurity } from '@nestjs/swagger';
import { type ScopeName, SCOPES } from './authenticator.js';

const PUBLIC = 'parley:public';
const SCOPE = 'parley:scope';
const ADMIN_ONLY = 'parley:admin-only';
const MODEL_ROUTE = 'parley:model-route';
const FORM_ROUTE = 'parley:form-route';

/** Opens a route to everybody. Without it a route needs credentials. */
export function Public(): MethodDecorator & ClassDecorator {
  return applyDecorators(SetMetadata(PUBLIC, true), ApiSecurity({}));
}

/**
 * Opens a route to API keys of a scope. A route without it needs `admin`: it is about the account itself, or somebody
 * forgot, and a key must not open what nobody thought about.
 */
export function Scope(scope: ScopeName): MethodDecorator & ClassDecorator {
  return SetMetadata(SCOPE, scope);
}

/** Keeps a route for admins. */
export function AdminOnly(): MethodDecorator & ClassDecorator {
  return SetMetadata(ADMIN_ONLY, true);
}

/** Marks a route that reaches a model: it has a limit of its own, and tells how full that is. */
export function ModelRoute(): MethodDecorator {
  return SetMetadata(MODEL_ROUTE, true);
}

/** Marks a route whose body is a form with a file, and not JSON. */
export function FormRoute(): MethodDecorator {
  return SetMetadata(FORM_ROUTE, true);
}

/** What the decorators of a route say, those of its method before those of its class. */
export interface RouteMetadata {
  readonly isPublic: boolean;
  readonly scope: ScopeName;
  readonly adminOnly: boolean;
  readonly reachesModel: boolean;
  readonly takesForm: boolean;
}

/**
 * By controller and method, which several controllers may inherit: what is read by reflection at each request costs
 * more than all that is done with it.
 */
const known = new WeakMap<object, WeakMap<object, RouteMetadata>>();

/** The marks of the route that a request has come to. */
export function routeMetadataOf(context: ExecutionContext): RouteMetadata {
  const controller = context.getClass();
  const method = context.getHandler();
  const ofController = known.get(controller) ?? new WeakMap<object, RouteMetadata>();
  known.set(controller, ofController);
  const marks = ofController.get(method) ?? readMarks([method, controller]);
  ofController.set(method, marks);
  return marks;
}

function readMarks(places: readonly object[]): RouteMetadata {
  const marked = (mark: string): unknown =>
    places.map((place): unknown => Reflect.getMetadata(mark, place)).find((value) => value !== undefined);
  return {
    isPublic: marked(PUBLIC) === true,
    scope: scopeOf(marked(SCOPE)),
    adminOnly: marked(ADMIN_ONLY) === true,
    reachesModel: marked(MODEL_ROUTE) === true,
    takesForm: marked(FORM_ROUTE) === true,
  };
}

function scopeOf(mark: unknown): ScopeName {
  return SCOPES.find((scope) => scope === mark) ?? 'admin';
}
