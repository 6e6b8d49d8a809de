/** A world for one SMTP session: ports that answer from a record, a spool in memory, a log that is kept. */
import { Expandable } from '../../src/base/expandable.ts'
import { Failure } from '../../src/base/outcome.ts'
import { type Text, textOf } from '../../src/base/text.ts'
import {
  newConnection,
  type Accepted,
  type ReceiveServices,
  type SessionIo,
} from '../../src/flow/receive/services.ts'
import { runSession } from '../../src/flow/receive/session.ts'
import { mainOptions } from '../../src/language/config/options/main.ts'
import type { Envelope } from '../../src/mail/envelope.ts'
import type { AclPlace, AclResult, ConnectionFacts, Context, Ports } from '../../src/ports.ts'
import type { IncomingMessage, Spool, SpooledMessage } from '../../src/store/spool/api.ts'
import { SpoolError } from '../../src/store/spool/api.ts'
import { type ByteSource, type InputEnd, LineReader } from '../../src/wire/line-reader.ts'

export interface RecordedMessage {
  readonly envelope: Envelope
  readonly body: string
}

export interface RecordOptions {
  readonly settings?: Readonly<Record<string, unknown>>
  readonly acl?: (place: AclPlace, context: Context) => AclResult | undefined
  readonly selectors?: readonly string[]
  readonly connection?: Partial<Parameters<typeof newConnection>[0]>
  readonly services?: Partial<ReceiveServices>
  readonly spoolError?: SpoolError
}

/** What a session left behind. */
export interface SessionRecord {
  readonly output: string
  readonly main: readonly string[]
  readonly reject: readonly string[]
  readonly panic: readonly string[]
  readonly messages: readonly RecordedMessage[]
  readonly accepted: readonly Accepted[]
  readonly connection: ConnectionFacts
}

const now = Date.UTC(2026, 10, 24, 3, 0, 0)

/** Sends pieces, each once the one before has been taken in, and closes. */
export async function converse(
  pieces: readonly string[],
  options: RecordOptions = {},
): Promise<SessionRecord> {
  const world = makeWorld(options)
  const io = new ScriptedIo(pieces)
  await runSession(io, world.connection, world.services)
  return { ...world.record, output: io.output, connection: world.connection }
}

/** Gives out its pieces one at a time; what a session writes is kept. */
export class ScriptedIo implements SessionIo, ByteSource {
  readonly reader = new LineReader(this)
  output = ''
  readonly #pieces: Buffer[]
  constructor(pieces: readonly (string | Buffer)[]) {
    this.#pieces = pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece))
  }
  pull(): Promise<Buffer | InputEnd> {
    return Promise.resolve(this.#pieces.shift() ?? 'closed')
  }
  take(): Buffer | undefined {
    return undefined
  }
  write(text: string): void {
    this.output += text
  }
  flush(): void {}
  end(): Promise<void> {
    return Promise.resolve()
  }
  destroy(): void {}
}

function defaultSettings(changes: Readonly<Record<string, unknown>>): Context['settings'] {
  const settings: Record<string, unknown> = {}
  for (const [name, row] of Object.entries(mainOptions)) {
    const value: unknown = name in changes ? changes[name] : row.default
    const text = /^(?:expand|hostList|domainList|addressList|localPartList|user|group|rewrite)/.test(row.type)
    settings[name] = typeof value === 'string' && text ? new Expandable(value, undefined, name) : value
  }
  // Built from the table that the type is made of.
  return settings as unknown as Context['settings']
}

export function makeWorld(options: RecordOptions): {
  readonly services: ReceiveServices
  readonly connection: ConnectionFacts
  readonly record: Omit<SessionRecord, 'output' | 'connection'>
} {
  const main: string[] = []
  const reject: string[] = []
  const panic: string[] = []
  const messages: RecordedMessage[] = []
  const accepted: Accepted[] = []
  const settings = defaultSettings({
    primary_hostname: 'mx.test.example',
    check_spool_space: 0,
    check_spool_inodes: 0,
    smtp_banner: 'mx.test.example ESMTP ready',
    received_header_text: 'Received: from record by mx.test.example',
    hosts_connection_nolog: undefined,
    acl_smtp_rcpt: 'rcpt',
    message_size_limit: '50M',
    ...options.settings,
  })
  const selectors = options.selectors
  const ports = {
    raise: () => '',
    expand: (text: Expandable): Text | Failure =>
      text.text.includes('${fail')
        ? new Failure('failure', 'asked to fail')
        : text.text.replace('$primary_hostname', 'mx.test.example'),
    matchList: (_kind: string, list: Expandable, subject: unknown) => {
      const wanted = typeof subject === 'string' ? subject : ((subject as { address?: string }).address ?? '')
      const hit = list.text === '*' || list.text.split(/\s*:\s*/).includes(wanted)
      return hit ? { is: 'match', data: undefined } : { is: 'no' }
    },
    runAcl: (acl: Text, place: AclPlace, context: Context): AclResult =>
      options.acl?.(place, context) ?? {
        verdict: textOf(acl) === 'deny' ? 'deny' : 'accept',
        userMessage: undefined,
        logMessage: undefined,
      },
    verify: () => Promise.resolve({ is: 'ok' }),
    lookUpHostName: () => Promise.resolve(),
    hostAddresses: () => Promise.resolve({ is: 'none' }),
    log: {
      selects: (name: string) => (selectors === undefined ? name !== 'millisec' : selectors.includes(name)),
      main: (id: string | undefined, text: string) =>
        void main.push(id === undefined ? text : `${id} ${text}`),
      reject: (
        id: string | undefined,
        text: string,
        how?: { main?: boolean; detail?: readonly string[] },
      ) => {
        const line = id === undefined ? text : `${id} ${text}`
        if (how?.main !== false) main.push(line)
        reject.push(line, ...(how?.detail ?? []))
      },
      panic: (_id: string | undefined, text: string) => void panic.push(text),
    },
    accounts: {
      byUid: (uid: number) => ({
        name: uid === 1000 ? 'ford' : 'mail',
        uid,
        gid: uid,
        gecos: 'Ford Prefect,,,',
        home: '/',
        shell: '',
      }),
      byName: () => undefined,
      groupByName: () => undefined,
      groupByGid: () => undefined,
    },
    now: () => now,
    random: () => 0,
  }
  const server = {
    primaryHostname: 'mx.test.example',
    qualifyDomain: 'test.example',
    qualifyRecipient: 'test.example',
    eximUid: 8,
    eximGid: 8,
  }
  const context: Context = {
    // Only what a session asks for is there; anything else would fail the test by throwing.
    server: server as unknown as Context['server'],
    settings,
    ports: ports as unknown as Ports,
    captures: [],
    variables: new Map(),
  }
  let ids = 0
  const spool = {
    begin: () =>
      memoryMessage(`1aaaaa-00000000${String(ids++).padStart(3, '0')}-0000`, messages, options.spoolError),
    space: () => ({ freeBytes: 1e9, freeInodes: 1e6 }),
  }
  const services: ReceiveServices = {
    context,
    spool: spool as unknown as Spool,
    accepted: (_message, how) => void accepted.push(how),
    shutdown: new AbortController().signal,
    load: () => 0,
    ...options.services,
  }
  const connection = newConnection({
    kind: 'smtp',
    hostAddress: '192.0.2.1',
    hostPort: 40000,
    interfaceAddress: '192.0.2.25',
    interfacePort: 25,
    activeHostname: 'mx.test.example',
    connectionId: 'c1',
    startedAt: now,
    countAtStart: 1,
    ...options.connection,
  })
  return { services, connection, record: { main, reject, panic, messages, accepted } }
}

function memoryMessage(
  id: string,
  messages: RecordedMessage[],
  failure: SpoolError | undefined,
): IncomingMessage {
  const pieces: Buffer[] = []
  let aborted = false
  const all = (): Buffer => Buffer.concat(pieces)
  return {
    id,
    write(piece) {
      if (failure !== undefined) throw failure
      // Copied: the caller may use its buffer again.
      pieces.push(Buffer.from(piece))
    },
    peek: (limit) => Promise.resolve(all().subarray(0, limit)),
    peekEnd: (limit) => Promise.resolve(all().subarray(-limit)),
    read: async function* () {
      yield all()
    },
    get size() {
      return all().length
    },
    commit(envelope) {
      if (aborted) throw new Error('committed after abort')
      messages.push({ envelope, body: all().toString('latin1') })
      return Promise.resolve({ id, envelope, bodySize: all().length } as unknown as SpooledMessage)
    },
    abort() {
      aborted = true
      return Promise.resolve()
    },
  }
}
