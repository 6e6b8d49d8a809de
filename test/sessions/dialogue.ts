/** The shape of a dialogue that is played to a real Exim and to Postern. */

/** One thing the client sends, and how many replies it then waits for (1 when not told). */
export type Step = string | { readonly send: string; readonly replies: number } | { readonly tls: true }

export interface Dialogue {
  /** A sentence, unique in its table. */
  readonly says: string
  /** Lines without their CRLF; text with CRLF inside is sent as it is, with CRLF at its end. */
  readonly steps: readonly Step[]
  /** Bytes as they are, nothing added. */
  readonly raw?: true
  /** Why Postern answers or logs otherwise than Exim 4.96, and only that difference. */
  readonly differs?: {
    readonly because: string
    readonly replies?: readonly string[]
    /** The replies that differ, by the number of the step; the banner is 0. */
    readonly instead?: Readonly<Record<number, string>>
    readonly logs?: true
  }
  /** The client's address, when not 127.0.0.1. */
  readonly from?: string
  /** How it ends: the client closes, or waits for the server to do it. */
  readonly closes?: 'client'
}

/** Dialogues that share one configuration. */
export interface Table {
  readonly name: string
  readonly configuration: string
  /** cert.pem and key.pem are made in the folder that `@FOLDER@` stands for. */
  readonly certificate?: true
  readonly dialogues: readonly Dialogue[]
}
