/** `openssl_options`: switches added and taken away. Source: Exim manual, main option `openssl_options`. */
import { constants } from 'node:crypto'

/** Switches of Exim's list that OpenSSL 3 has, by Exim's name: `SSL_OP_...` in lower case. */
const allSwitches = (): Readonly<Record<string, number>> => ({
  all: constants.SSL_OP_ALL,
  allow_unsafe_legacy_renegotiation: constants.SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION,
  cipher_server_preference: constants.SSL_OP_CIPHER_SERVER_PREFERENCE,
  cisco_anyconnect: constants.SSL_OP_CISCO_ANYCONNECT,
  cookie_exchange: constants.SSL_OP_COOKIE_EXCHANGE,
  cryptopro_tlsext_bug: constants.SSL_OP_CRYPTOPRO_TLSEXT_BUG,
  dont_insert_empty_fragments: constants.SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS,
  legacy_server_connect: constants.SSL_OP_LEGACY_SERVER_CONNECT,
  no_compression: constants.SSL_OP_NO_COMPRESSION,
  no_renegotiation: constants.SSL_OP_NO_RENEGOTIATION,
  no_session_resumption_on_renegotiation: constants.SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION,
  no_sslv2: constants.SSL_OP_NO_SSLv2,
  no_sslv3: constants.SSL_OP_NO_SSLv3,
  no_ticket: constants.SSL_OP_NO_TICKET,
  no_tlsv1: constants.SSL_OP_NO_TLSv1,
  no_tlsv1_1: constants.SSL_OP_NO_TLSv1_1,
  no_tlsv1_2: constants.SSL_OP_NO_TLSv1_2,
  no_tlsv1_3: constants.SSL_OP_NO_TLSv1_3,
  prioritize_chacha: constants.SSL_OP_PRIORITIZE_CHACHA,
  tls_rollback_bug: constants.SSL_OP_TLS_ROLLBACK_BUG,
})
let switches: ReturnType<typeof allSwitches> | undefined

/** Known to older libraries; without meaning in OpenSSL 3, as there. */
const gone = new Set(
  'ephemeral_rsa microsoft_big_sslv3_buffer microsoft_sess_id_bug msie_sslv2_rsa_padding netscape_challenge_bug netscape_reuse_cipher_change_bug safari_ecdhe_ecdsa_bug single_dh_use single_ecdh_use ssleay_080_client_dh_bug sslref2_reuse_cert_type_bug tls_block_padding_bug tls_d5_bug'.split(
    ' ',
  ),
)

export type OpensslOptions = { readonly bits: number } | { readonly problem: string }

/** Reads the switches; the last word about one counts. */
export function readOpensslOptions(text: string): OpensslOptions {
  switches ??= allSwitches()
  let bits = 0
  for (const word of text.split(/[\s:]+/).filter(Boolean)) {
    const [, sign, name = ''] = /^([-+])(\w+)$/.exec(word) ?? []
    if (sign === undefined) return { problem: `openssl_option parse error: "${word}"` }
    const value = switches[name.toLowerCase()]
    if (value === undefined) {
      if (gone.has(name.toLowerCase())) continue
      return { problem: `openssl_option unrecognised: "${word}"` }
    }
    // Some switches have the highest bit, which would make the number negative.
    bits = (sign === '+' ? bits | value : bits & ~value) >>> 0
  }
  return { bits }
}
