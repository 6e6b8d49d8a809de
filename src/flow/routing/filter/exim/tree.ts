/** What an Exim filter file says. Source: Exim manual, "Exim filter files". */
import type { ByteString } from '../../../../base/text.ts'

export const stringTests = ['begins', 'contains', 'ends', 'is', 'matches'] as const
export type StringTest = (typeof stringTests)[number]

export type Condition =
  | { readonly is: 'and'; readonly left: Condition; readonly right: Condition }
  | { readonly is: 'or'; readonly left: Condition; readonly right: Condition }
  | { readonly is: 'not'; readonly inner: Condition }
  | {
      readonly is: 'string'
      readonly test: StringTest
      /** Written in capitals: the case of letters counts. */
      readonly caseful: boolean
      readonly negated: boolean
      readonly left: ByteString
      readonly right: ByteString
    }
  | {
      readonly is: 'number'
      readonly test: 'above' | 'below'
      readonly negated: boolean
      readonly left: ByteString
      readonly right: ByteString
    }
  | {
      readonly is: 'fact'
      readonly fact: 'delivered' | 'error_message' | 'first_delivery' | 'manually_thawed'
      readonly negated: boolean
    }
  | { readonly is: 'personal'; readonly aliases: readonly ByteString[]; readonly negated: boolean }
  | {
      readonly is: 'foranyaddress'
      readonly list: ByteString
      readonly inner: Condition
      readonly negated: boolean
    }

/** Arguments of `mail` and `vacation`, in the order in which a test shows them. */
export const mailFields = [
  'to',
  'cc',
  'bcc',
  'from',
  'reply_to',
  'subject',
  'extra_headers',
  'text',
  'file',
  'log',
  'once',
  'once_repeat',
] as const
export type MailField = (typeof mailFields)[number]

export interface MailCommand {
  readonly is: 'mail'
  readonly vacation: boolean
  readonly fields: Readonly<Partial<Record<MailField, ByteString>>>
  readonly expandFile: boolean
  readonly returnMessage: boolean
}

export type CommandBody =
  | { readonly is: 'add'; readonly amount: ByteString; readonly variable: ByteString }
  | { readonly is: 'deliver'; readonly address: ByteString; readonly errorsTo: ByteString | undefined }
  | { readonly is: 'save'; readonly path: ByteString; readonly mode: number | undefined }
  | { readonly is: 'pipe'; readonly command: ByteString }
  | MailCommand
  | { readonly is: 'logfile'; readonly path: ByteString; readonly mode: number | undefined }
  | { readonly is: 'logwrite'; readonly text: ByteString }
  | { readonly is: 'testprint'; readonly text: ByteString }
  | { readonly is: 'finish' }
  | { readonly is: 'defer' | 'fail' | 'freeze'; readonly text: ByteString }
  | { readonly is: 'headers'; readonly action: 'add' | 'remove' | 'charset'; readonly text: ByteString }

export type Command =
  | (CommandBody & { readonly seen: boolean; readonly noError: boolean; readonly line: number })
  | {
      readonly is: 'if'
      readonly condition: Condition
      readonly whenTrue: readonly Command[]
      readonly otherwise: readonly Command[]
    }
