/** Whether the optional package that a lookup type needs is there. */
import { builtinModules, createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/** What Node itself has in place of a package. */
const builtIn: Readonly<Record<string, string>> = { 'node-sqlite3-wasm': 'sqlite' }

/** For the table of types: works, or what to install. The package itself is not loaded. */
export function packageRow(name: string): { readonly works: boolean; readonly help?: string } {
  const inNode = builtIn[name]
  // Node lists modules that exist with a prefix alone as `node:sqlite`.
  if (inNode !== undefined && builtinModules.some((each) => each === inNode || each === `node:${inNode}`))
    return { works: true }
  try {
    require.resolve(name)
    return { works: true }
  } catch {
    return {
      works: false,
      help: `it needs the package ${name}: run "npm install ${name}" where Postern is installed`,
    }
  }
}
