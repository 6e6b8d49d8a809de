/** What an expansion asks of the machine beside files: commands and sockets. The doors beside this file answer. */
import type { Awaitable } from '../../../base/outcome.ts'
import type { SocketRequest, SocketResult } from '../../../base/read-socket.ts'
import type { ByteString } from '../../../base/text.ts'
import type { Context } from '../../../ports.ts'

export interface CommandRequest {
  readonly program: string
  readonly argv: readonly ByteString[]
  readonly environment: Readonly<Record<string, string>>
  /** What it can read. */
  readonly input?: string
  readonly timeoutMs: number
  readonly outputLimitBytes: number
  readonly signal: AbortSignal | undefined
}
export type CommandResult =
  | {
      readonly is: 'ended' /** Exit code; a negative number is a signal. */
      readonly code: number
      readonly output: ByteString
    }
  | { readonly is: 'failed'; readonly message: string }

/** A value for a function; `origin` says where a tainted one came from. */
export interface FunctionValue {
  readonly text: ByteString
  readonly origin: string | undefined
}
export interface FunctionCall {
  /** The module. */
  readonly file: string
  readonly name: string
  readonly values: readonly FunctionValue[]
}
export type FunctionResult =
  | {
      readonly is: 'value'
      readonly text: ByteString /** The function says so itself. */
      readonly trusted: boolean
    }
  /** `undefined` or `null`. */
  | { readonly is: 'nothing' }
  | { readonly is: 'failed'; readonly message: string }

export interface PerlStart {
  /** `perl_startup`: what the interpreter obeys first. */
  readonly startup: ByteString
  readonly taintMode: boolean
  readonly environment: Readonly<Record<string, string>>
}

/** A call of a Perl subroutine. */
export interface PerlCall extends PerlStart {
  /** Files of the code are those of the start, whatever has become of them. */
  readonly atStart: boolean
  readonly name: ByteString
  readonly values: readonly ByteString[]
  /** Calls of the same session or message see what the ones before have left. */
  readonly of: object
  /** What `expand` was given, of a call within a call. */
  readonly within: object | undefined
  /** `Exim::expand_string`. */
  readonly expand: (text: ByteString, within: object) => Promise<PerlAnswer>
  /** `Exim::log_write`, and `warn`. */
  readonly log: (text: ByteString) => void
  /** `Exim::debug_write`. */
  readonly debug: (text: ByteString) => void
}
export type PerlAnswer =
  | { readonly is: 'value'; readonly text: ByteString }
  | { readonly is: 'forced' }
  | { readonly is: 'failed'; readonly message: ByteString }
export type PerlResult =
  | { readonly is: 'value'; readonly text: ByteString }
  /** `undef`. */
  | { readonly is: 'nothing' }
  | { readonly is: 'failed'; readonly message: ByteString }

export interface PamRequest {
  readonly user: ByteString
  /** Given to one question after the other. */
  readonly answers: readonly ByteString[]
  readonly signal: AbortSignal | undefined
}
export type PamResult = { readonly is: 'yes' | 'no' } | { readonly is: 'failed'; readonly message: string }

export interface Doors {
  callPerl(call: PerlCall): Promise<PerlResult>
  callFunction(call: FunctionCall): Promise<FunctionResult>
  runCommand(request: CommandRequest): Promise<CommandResult>
  askSocket(request: SocketRequest): Promise<SocketResult>
  askPam(request: PamRequest): Promise<PamResult>
  /** The environment as `keep_environment` and `add_environment` left it. */
  environment(context: Context): Readonly<Record<string, string>>
  /** crypt(3): the coded form, undefined when the setting is none; or why there is no such function here. */
  crypt(
    secret: ByteString,
    setting: ByteString,
  ): Awaitable<ByteString | undefined | { readonly unavailable: string }>
}
