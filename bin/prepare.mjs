// Installs the packages and builds, when that has not been done: what `npm start` and `npm test` begin with.
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
process.chdir(root)

const installed = 'node_modules/.package-lock.json'
const current = existsSync(installed) && statSync(installed).mtimeMs >= statSync('package-lock.json').mtimeMs
if (!current) {
  console.error('Installing packages ...')
  // Nothing here needs an install script: native parts travel ready-made inside their packages.
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  // A registry that lacks the packages of other platforms makes `npm ci` give up; `npm install` does without them.
  if (spawnSync('npm', ['ci', ...quiet], { stdio: 'ignore' }).status !== 0) {
    run('npm', ['install', '--no-save', ...quiet])
  }
}
if (!existsSync('dist/tsconfig.tsbuildinfo')) console.error('Building ...')
run(process.execPath, [
  'node_modules/typescript/bin/tsc',
  '-p',
  '.',
  '--tsBuildInfoFile',
  'dist/tsconfig.tsbuildinfo',
])
const timeOf = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
const sources = [
  'dist/tsconfig.tsbuildinfo',
  installed,
  ...['bundle.mjs', 'bundled.cjs', 'train.mjs', 'trained.cjs'].map((name) => `bin/${name}`),
]
if (timeOf('dist/bundle/0.cjs') < Math.max(...sources.map(timeOf))) {
  // Without it everything works too, only not as fast.
  const done = spawnSync(process.execPath, ['bin/bundle.mjs'], { stdio: ['ignore', 'ignore', 2] })
  if (done.status !== 0) console.error('postern: dist/bundle was not made; calls take longer to begin')
}

function run(command, args) {
  const done = spawnSync(command, args, { stdio: ['ignore', 2, 2] })
  if (done.status !== 0) {
    console.error(`postern: "${command} ${args[0]}" failed${done.error ? `: ${done.error.message}` : ''}`)
    process.exit(1)
  }
}
