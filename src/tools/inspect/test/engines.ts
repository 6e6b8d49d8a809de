/** The configurations that tests are about: each is read once, and has as many engines as tests run at once. */
import type { Diagnostic } from '../../../base/diagnostic.ts'
import { renderDiagnostic } from '../../../base/diagnostic-frame.ts'
import type { ByteString } from '../../../base/text.ts'
import { createAccounts } from '../../../base/accounts.ts'
import type { Configuration } from '../../../language/config/configuration.ts'
import type { Accounts } from '../../../ports.ts'
import { loadConfiguration } from '../../../server/configuration-file.ts'
import { defaultConfiguration, defaultConfigurationName } from '../../../server/default-configuration.ts'
import { createOfflineEngine, type OfflineEngine } from '../../../server/offline/engine.ts'
import { type Piece, pieceKey, piecesOf, Watch } from '../../../server/offline/statements.ts'
import { firstConfiguration } from '../../host/texts.ts'
import { isThere } from './find-files.ts'
import type { ConfigurationName } from './test-case.ts'

/** A configuration that was read, its parts, and what tests have reached of them. */
export interface Loaded {
  readonly configuration: Configuration
  readonly pieces: readonly Piece[]
  readonly pieceAt: ReadonlyMap<string, Piece>
  readonly watch: Watch
  readonly reached: Set<string>
  readonly idle: OfflineEngine[]
}

/** `absent`: there is no such file. */
export type LoadResult = Loaded | { readonly wrong: string; readonly absent?: string | undefined }

export function isWrong(result: LoadResult): result is { readonly wrong: string } {
  return 'wrong' in result
}

export class Engines {
  readonly #loaded = new Map<string, Promise<LoadResult>>()

  load(name: ConfigurationName, macros: ReadonlyMap<string, ByteString>): Promise<LoadResult> {
    const key = JSON.stringify([name, [...macros]])
    let loading = this.#loaded.get(key)
    if (loading === undefined) this.#loaded.set(key, (loading = load(name, macros)))
    return loading
  }

  async all(): Promise<Loaded[]> {
    const every = await Promise.all(this.#loaded.values())
    return every.flatMap((one) => (isWrong(one) ? [] : [one]))
  }
}

/** One test or session with an engine that nobody else uses meanwhile. */
export async function withEngine<T>(loaded: Loaded, use: (engine: OfflineEngine) => Promise<T>): Promise<T> {
  const engine = loaded.idle.pop() ?? createOfflineEngine(loaded.configuration)
  const result = await use(engine)
  // One whose session failed with an exception is not used again.
  loaded.idle.push(engine)
  return result
}

async function load(name: ConfigurationName, macros: ReadonlyMap<string, ByteString>): Promise<LoadResult> {
  const common = { defines: macros, accounts: anybody(), anyOwner: true }
  const read = await loadConfiguration(
    name.is === 'file'
      ? { ...common, files: name.path.split(':') }
      : { ...common, embedded: embedded(name.which) },
  )
  if (read.is === 'none') {
    const absent = name.is === 'file' && !name.path.split(':').some((path) => isThere(path))
    return { wrong: read.message, absent: absent ? name.path : undefined }
  }
  if (read.fatal.length > 0) return { wrong: read.fatal.map(shown).join('\n') }
  const { configuration } = read
  const pieces = piecesOf(configuration)
  const watch = new Watch()
  return {
    configuration,
    pieces,
    pieceAt: new Map(pieces.map((piece) => [pieceKey(piece), piece])),
    watch,
    reached: watch.reached,
    idle: [],
  }
}

function shown(diagnostic: Diagnostic): string {
  return renderDiagnostic(diagnostic)
}

function embedded(which: 'start' | 'install'): { readonly name: string; readonly text: string } {
  if (which === 'install') return { name: '(configuration of postern install)', text: firstConfiguration() }
  const text = defaultConfiguration({
    data: '/var/lib/postern',
    address: '127.0.0.1',
    port: 2525,
    uid: 1000,
    gid: 1000,
    starter: 'starter',
  })
  return { name: defaultConfigurationName, text }
}

/** The configuration may name users that the machine of the tests does not have: those of the test count then. */
function anybody(): Accounts {
  const accounts = createAccounts()
  return {
    ...accounts,
    byName: (name) =>
      accounts.byName(name) ?? { name, uid: 65_534, gid: 65_534, gecos: '', home: '/nonexistent', shell: '' },
    groupByName: (name) => accounts.groupByName(name) ?? { name, gid: 65_534, members: [] },
  }
}
