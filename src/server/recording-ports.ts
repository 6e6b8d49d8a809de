/** Ports that write down what they are asked and what is logged: for a session or a delivery that somebody wants explained. */
import type { ByteString } from '../base/text.ts'
import type { Accounts, DebugFile, Files, Log, LogFacts, Ports, RejectOptions, Trace } from '../ports.ts'
import { NotedAccounts, NotedFiles } from './noted-ports.ts'
import { type LanePorts, noteAddresses, noteDns, onLane, traced } from './traced-ports.ts'

export interface Recording {
  /** Log lines go no further. */
  readonly silent: boolean
  /** Named in the JSON log. */
  traceId(): string | undefined
  /** Told of each message that a log line is about. */
  onId(id: string): void
}

type Make = (here: Trace, recording: Recording) => Ports

/** A class for each server's ports: what a session adds are a few fields, and all sessions share the rest. */
const makers = new WeakMap<Ports, Make>()

export function recordingPorts(ports: Ports, here: Trace, recording: Recording): Ports {
  let make = makers.get(ports)
  if (make === undefined) makers.set(ports, (make = makerFor(ports)))
  return make(here, recording)
}

type Own = Pick<LanePorts, 'dns' | 'hostAddresses' | 'log' | 'files' | 'accounts' | typeof onLane>

function makerFor(base: Ports): Make {
  class RecordingPorts implements Own {
    // No #names: others derive objects from this one.
    private readonly myHere: Trace
    private readonly myRecording: Recording
    private myLog: Log | undefined
    private myFiles: Files | undefined
    private myAccounts: Accounts | undefined

    constructor(here: Trace, recording: Recording) {
      this.myHere = here
      this.myRecording = recording
    }

    get log(): Log {
      return (this.myLog ??= new RecordingLog(base.log, this.myHere, this.myRecording))
    }

    get files(): Files {
      return (this.myFiles ??= new NotedFiles(base.files, this.myHere))
    }

    get accounts(): Accounts {
      return (this.myAccounts ??= new NotedAccounts(base.accounts, this.myHere))
    }

    dns(...asked: Parameters<Ports['dns']>): ReturnType<Ports['dns']> {
      return noteDns(base, this.myHere, ...asked)
    }

    hostAddresses(...asked: Parameters<Ports['hostAddresses']>): ReturnType<Ports['hostAddresses']> {
      return noteAddresses(base, this.myHere, ...asked)
    }

    [onLane](here: Trace): Ports {
      return make(here, this.myRecording)
    }
  }
  // Everything else is that of the traced ports: so the whole is Ports. Copied, as what is inherited from afar is found slowly.
  const all = traced(base)
  const others: Record<string, PropertyDescriptor> = {}
  // Those that it inherits, too.
  for (const name in all)
    if (!Object.hasOwn(RecordingPorts.prototype, name))
      others[name] = { value: all[name as keyof Ports], enumerable: true, writable: true, configurable: true }
  Object.defineProperties(RecordingPorts.prototype, others)
  const make: Make = (here, recording) => new RecordingPorts(here, recording) as unknown as Ports
  return make
}

/** A log whose lines stand in the explanation too; the JSON log names the explanation. */
class RecordingLog implements Log {
  readonly #log: Log
  readonly #here: Trace
  readonly #recording: Recording

  constructor(log: Log, here: Trace, recording: Recording) {
    this.#log = log
    this.#here = here
    this.#recording = recording
  }

  get takesFacts(): boolean {
    return this.#log.takesFacts === true
  }

  selects(selector: string, port?: number): boolean {
    return this.#log.selects(selector, port)
  }

  main(id: string | undefined, text: ByteString, facts?: LogFacts): void {
    this.#note(id, text, 'main log')
    if (!this.#recording.silent) this.#log.main(id, text, this.#named(facts))
  }

  reject(id: string | undefined, text: ByteString, how: RejectOptions = {}): void {
    this.#note(id, text, 'reject log')
    if (this.#recording.silent) return
    const facts = this.#named(how.facts)
    this.#log.reject(
      id,
      text,
      facts === how.facts ? how : { ...how, ...(facts === undefined ? {} : { facts }) },
    )
  }

  panic(id: string | undefined, text: ByteString, facts?: LogFacts): void {
    this.#note(id, text, 'panic log')
    if (!this.#recording.silent) this.#log.panic(id, text, this.#named(facts))
  }

  debugFile(tag: string): DebugFile | undefined {
    return this.#recording.silent ? undefined : this.#log.debugFile?.(tag)
  }

  #note(id: string | undefined, text: ByteString, which: string): void {
    if (id !== undefined && id !== '') this.#recording.onId(id)
    this.#here.note('log', text.includes('AUTH') ? text.replace(secretOfAuth, '$1 ****') : text, which)
  }

  #named(facts: LogFacts | undefined): LogFacts | undefined {
    if (!this.takesFacts) return facts
    const trace = this.#recording.traceId()
    return trace === undefined ? facts : { ...facts, trace }
  }
}

const secretOfAuth = /(AUTH\s+\S+)\s[^\s":]+/gi
