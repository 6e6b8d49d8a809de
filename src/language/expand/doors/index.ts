/** The real doors. */
import { openPosix, type Posix } from '../../../base/posix.ts'
import { compileRegex } from '../../../base/regex.ts'
import type { Context } from '../../../ports.ts'
import type { Doors } from './doors.ts'
import type { Functions } from './functions.ts'

export function createDoors(): Doors {
  return {
    // Loaded at the first use: most texts run nothing and ask nobody, and TLS takes its time to load.
    runCommand: async (request) => (await import('./run.ts')).runProgram(request),
    askSocket: async (request) => (await import('../../../base/read-socket.ts')).readSocket(request),
    askPam: createAskPam(),
    callFunction: createCallFunction(),
    callPerl: createCallPerl(),
    environment: keptEnvironment,
    crypt: createCrypt(),
  }
}

/** Only what `keep_environment` and `add_environment` let through. Source: Exim manual, "Environment variables". */
export function keptEnvironment(context: Context): Readonly<Record<string, string>> {
  const { keep_environment: keep = [], add_environment: add = [] } = context.settings
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && keep.some((item) => keeps(item, name))) kept[name] = value
  }
  for (const setting of add) {
    const equals = setting.indexOf('=')
    if (equals > 0) kept[setting.slice(0, equals)] = setting.slice(equals + 1)
  }
  return kept
}

function keeps(item: string, name: string): boolean {
  if (!item.startsWith('^')) return item === '*' || item === name
  const regex = compileRegex(item)
  const found = 'match' in regex ? regex.match(name) : undefined
  return found !== undefined && !('error' in found)
}

/** Threads are made at the first call. */
function createCallFunction(): Doors['callFunction'] {
  let functions: Promise<Functions> | undefined
  return async (call) => {
    functions ??= import('./functions.ts').then(({ createFunctions }) => createFunctions())
    return (await functions).call(call)
  }
}

function createAskPam(): Doors['askPam'] {
  let pam: Promise<Doors['askPam']> | undefined
  return async (request) => {
    pam ??= import('./pam.ts').then(({ createPam }) => createPam())
    return (await pam)(request)
  }
}

/** Perl is started at the first call. */
function createCallPerl(): Doors['callPerl'] {
  let perl: Promise<Doors['callPerl']> | undefined
  return async (call) => {
    perl ??= import('./perl.ts').then(({ createPerl }) => createPerl())
    return (await perl)(call)
  }
}

/** The library is loaded at the first use. */
function createCrypt(): Doors['crypt'] {
  let posix: Posix | string | undefined
  return (secret, setting) => {
    posix ??= openPosix()
    return typeof posix === 'string' ? { unavailable: posix } : posix.crypt(secret, setting)
  }
}
