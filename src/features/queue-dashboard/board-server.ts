import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type {
  AppControllerRoute,
  AppViewRoute,
  BullBoardQueues,
  ControllerHandlerReturnType,
  IServerAdapter,
  UIConfig,
} from '@bull-board/api/typings/app';
import express, { type Request, type RequestHandler, type Response, Router } from 'express';

/** Reads data for a response, and decides how long to wait for it. */
type Reader = (
  read: () => ControllerHandlerReturnType | Promise<ControllerHandlerReturnType>,
) => Promise<ControllerHandlerReturnType>;

/**
 * Serves Bull Board with Express. It has no route that changes a queue: those of the board are left out. Errors go to the
 * error filter.
 */
export class BoardServer implements IServerAdapter {
  private readonly router = Router();
  private queues: BullBoardQueues = new Map();
  private uiConfig: UIConfig = {};
  private viewsPath = '';

  /**
   * @param basePath path of the dashboard, without a slash at its end
   * @param reader reads the data of responses
   */
  constructor(
    private readonly basePath: string,
    private readonly reader: Reader,
  ) {}

  get handler(): RequestHandler {
    return this.router;
  }

  setQueues(queues: BullBoardQueues): this {
    this.queues = queues;
    return this;
  }

  setViewsPath(viewsPath: string): this {
    this.viewsPath = viewsPath;
    return this;
  }

  setStaticPath(route: string, folder: string): this {
    // The response already forbids caches.
    const files = express.static(folder, { index: false, redirect: false, cacheControl: false });
    this.router.use(this.basePath + route, files);
    return this;
  }

  setUIConfig(uiConfig: UIConfig): this {
    this.uiConfig = uiConfig;
    return this;
  }

  setErrorHandler(): this {
    return this;
  }

  setEntryRoute(entry: AppViewRoute): this {
    const { basePath, uiConfig, viewsPath } = this;
    const { name, params } = entry.handler({ basePath, uiConfig });
    const page = renderView(readFileSync(join(viewsPath, name), 'utf8'), params);
    for (const path of [entry.route].flat()) {
      this.router.get(basePath + path, (_request, response) => {
        response.type('html').send(page);
      });
    }
    return this;
  }

  setApiRoutes(routes: AppControllerRoute[]): this {
    for (const route of routes) {
      if (route.method !== 'get') continue;
      for (const path of [route.route].flat()) {
        this.router.get(this.basePath + path, (request, response) => this.sendData(route, request, response));
      }
    }
    return this;
  }

  private async sendData(
    route: AppControllerRoute,
    { query, params }: Request,
    response: Response,
  ): Promise<void> {
    const { queues, uiConfig } = this;
    const { status = 200, body } = await this.reader(() =>
      route.handler({ queues, uiConfig, query, params, body: {}, headers: {} }),
    );
    response.status(status).json(body);
  }
}

/** Elements that load from other servers, such as fonts. The policy forbids them, and each would be an error in the console. */
const FOREIGN_LINK = /<link\b[^>]*\bhref="https?:[^>]*>/g;

/** A placeholder of EJS: `<%=` escapes, `<%-` does not. */
const PLACEHOLDER = /<%([=-]) *(\w+) *%>/g;

/** Renders a view of the board, which has no more than placeholders. */
function renderView(template: string, params: Readonly<Record<string, string>>): string {
  return template
    .replace(FOREIGN_LINK, '')
    .replace(PLACEHOLDER, (_placeholder, kind: string, name: string) => {
      const value = params[name];
      if (value === undefined) throw new Error(`The view of the dashboard has no value for '${name}'.`);
      return kind === '=' ? escapeHtml(value) : value;
    });
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('"', '&quot;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');
}
