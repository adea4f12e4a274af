// Stands for node:fs in the browser, where there are no files: what tests need of @burin/testing is the rest of it.

function noFiles(): never {
  throw new Error('browser: there are no files to read here');
}

export { noFiles as existsSync, noFiles as readdirSync, noFiles as readFileSync };
