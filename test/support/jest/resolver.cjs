const { existsSync } = require('node:fs');
const { resolve } = require('node:path');

/*
 * Our TypeScript imports './x.js' and means './x.ts'. Packages mean what they say, so only our own imports are
 * redirected, and only where the TypeScript file exists.
 */
module.exports = (request, options) => {
  if (/^\.{1,2}\/.*\.js$/.test(request) && !options.basedir.includes('node_modules')) {
    const source = resolve(options.basedir, request.replace(/\.js$/, '.ts'));
    if (existsSync(source)) return source;
  }
  return options.defaultResolver(request, options);
};
