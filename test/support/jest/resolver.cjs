const { existsSync } = require('node:fs');
const { resolve } = require('node:path');

/*
 * This project's TypeScript imports './x.js' for './x.ts'. Imports in packages are literal, so only the
 * project's own imports are redirected, and only if the TypeScript file exists.
 */
module.exports = (request, options) => {
  if (/^\.{1,2}\/.*\.js$/.test(request) && !options.basedir.includes('node_modules')) {
    const source = resolve(options.basedir, request.replace(/\.js$/, '.ts'));
    if (existsSync(source)) return source;
  }
  return options.defaultResolver(request, options);
};
