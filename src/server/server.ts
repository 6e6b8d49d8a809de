/**
 * One configuration in force: its facts, its ports, its logs, and the spool and queue that are opened when somebody
 * first asks for them. A command line that only expands a string opens neither.
 */
import type { Expandable } from '../base/expandable.ts'
import type { ByteString } from '../base/text.ts'
import type { ReceiveServices } from '../flow/receive/services.ts'
import type { Configuration } from '../language/config/configuration.ts'
import type { LookupCounts } from '../language/lookups/counters.ts'
import type { MainSettings } from '../language/config/options/main.ts'
import type { Routing } from '../flow/routing/index.ts'
import type { Accounts, Context, Ports, ServerFacts } from '../ports.ts'
import type { Spool } from '../store/spool/api.ts'
import type { LogFiles } from './log-files.ts'
import type { DeliveryQueue } from './queue.ts'
import type { AsUser } from './privileged/run-as.ts'
import type { Recorder } from './recorder.ts'
import type { RunTimeUser } from './run-time-user.ts'
import type { StoreRoom } from './store-room.ts'

export interface ContextParts {
  readonly connection?: Context['connection']
  readonly message?: Context['message']
  readonly address?: Context['address']
  readonly verifyMode?: Context['verifyMode']
}

export interface Server {
  readonly configuration: Configuration
  readonly settings: MainSettings
  readonly facts: ServerFacts
  readonly ports: Ports
  readonly log: LogFiles
  /** Items of `log_file_path` in force. */
  readonly logPaths: readonly string[]
  readonly pidFilePath: string
  readonly user: RunTimeUser
  readonly accounts: Accounts
  readonly store: StoreRoom
  /** Compiles long named lists before somebody asks. */
  prepareLists(): void
  /** A context of its own, with nothing but what is given. */
  context(parts?: ContextParts): Context
  /** `read` for looking only. The first use decides how it is opened; `write` after `read` opens it anew. */
  spool(use: 'read' | 'write'): Promise<Spool>
  queue(): Promise<DeliveryQueue>
  routing(): Promise<Routing>
  /** What became of lookups in this process, by type; empty before the first. */
  lookupCounts(): ReadonlyMap<string, LookupCounts>
  /** What reception works with. */
  receiving(): Promise<ReceiveServices>
  /** An option's text, expanded; undefined when it is unset or its expansion is forced to fail. */
  text(setting: Expandable | undefined, context?: Context): Promise<ByteString | undefined>
  /** A list option, expanded and split. */
  list(setting: Expandable | undefined, context?: Context): Promise<readonly ByteString[] | undefined>
  number(setting: Expandable | undefined, otherwise: number, context?: Context): Promise<number>
  qualifySender(address: ByteString): ByteString
  qualifyRecipient(address: ByteString): ByteString
  /** A bug, not a result: one line in the panic log. */
  fault(where: string, error: unknown): void
  /** Keeps explanations; undefined: `explain_store` is 0, or this is a short call. */
  readonly recorder: Recorder | undefined
  /** Takes over deliveries and looks at files under other uids once there is somebody who can do them. */
  setAsUser(asUser: AsUser): void
  /** Another configuration is in force: what only this one uses is closed once its sessions are over. */
  retire(): void
  /** Gives everything up that was opened. */
  close(): Promise<void>
}
