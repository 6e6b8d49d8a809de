/** What an expansion asks of the machine beside files: commands and sockets. The doors beside this file answer. */
import type { Awaitable } from '../../../base/outcome.ts'
import type { SocketRequest, SocketResult } from '../../../base/read-socket.ts'
import type { ByteString } from '../../../base/text.ts'
import type { Context } from '../../../ports.ts'

export interface CommandRequest {
  readonly program: string
  readonly argv: readonly ByteString[]
  readonly environment: Readonly<Record<string, string>>
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

export interface Doors {
  callFunction(call: FunctionCall): Promise<FunctionResult>
  runCommand(request: CommandRequest): Promise<CommandResult>
  askSocket(request: SocketRequest): Promise<SocketResult>
  /** The environment as `keep_environment` and `add_environment` left it. */
  environment(context: Context): Readonly<Record<string, string>>
  /** crypt(3): the coded form, undefined when the setting is none; or why there is no such function here. */
  crypt(
    secret: ByteString,
    setting: ByteString,
  ): Awaitable<ByteString | undefined | { readonly unavailable: string }>
}
