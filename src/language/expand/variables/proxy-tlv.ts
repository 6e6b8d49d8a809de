/** What a proxy told in the fields of its header. Source: HAProxy, "The PROXY protocol", section 2.2. */
import { type ByteString, toBytes } from '../../../base/text.ts'
import { readSslTlv, sslTypes, tlvTypes } from '../../../mail/proxy-tlvs.ts'
import type { Environment } from '../environment.ts'
import type { VariableRow } from '../rows.ts'
import { outside } from './kinds.ts'

const tlv = ({ context }: Environment, type: number): ByteString | undefined =>
  context.connection?.proxy?.tlvs.get(type)

const ssl = (environment: Environment): ReturnType<typeof readSslTlv> => {
  const value = tlv(environment, tlvTypes.ssl)
  return value === undefined ? undefined : readSslTlv(value)
}

/** Fields of AWS and Azure begin with a byte for what follows; 1 is the identity of the end point. */
function endPointId(value: ByteString | undefined): ByteString | undefined {
  return value?.charCodeAt(0) === 1 ? value.slice(1) : undefined
}

/** Azure's is a number of 32 bits, the least byte first. */
function azureLink(value: ByteString | undefined): string | undefined {
  const id = endPointId(value)
  return id === undefined || id.length !== 4 ? undefined : String(Buffer.from(toBytes(id)).readUInt32LE(0))
}

/** Most of it the proxy only repeats from its client: all is tainted. */
export const proxyTlvVariables: readonly VariableRow[] = [
  outside('proxy_tlv_alpn', 'Application protocol of the TLS that ended at the proxy.', (e) =>
    tlv(e, tlvTypes.alpn),
  ),
  outside('proxy_tlv_authority', 'Server name that the client asked the proxy for.', (e) =>
    tlv(e, tlvTypes.authority),
  ),
  outside('proxy_tlv_aws_vpce', 'End point of the private cloud of AWS that the client came from.', (e) =>
    endPointId(tlv(e, tlvTypes.aws)),
  ),
  outside(
    'proxy_tlv_azure_link',
    'Number of the private end point of Azure that the client came from.',
    (e) => azureLink(tlv(e, tlvTypes.azure)),
  ),
  outside('proxy_tlv_netns', 'Network name space at the proxy.', (e) => tlv(e, tlvTypes.netns)),
  outside('proxy_tlv_ssl_cipher', 'Cipher of the TLS that ended at the proxy.', (e) =>
    ssl(e)?.fields.get(sslTypes.cipher),
  ),
  outside('proxy_tlv_ssl_cn', 'Common name in the certificate that the client showed the proxy.', (e) =>
    ssl(e)?.fields.get(sslTypes.commonName),
  ),
  outside(
    'proxy_tlv_ssl_verify',
    'What the proxy found of the client’s certificate: 0 is good.',
    (e) => ssl(e)?.verify,
  ),
  outside('proxy_tlv_ssl_version', 'Version of the TLS that ended at the proxy.', (e) =>
    ssl(e)?.fields.get(sslTypes.version),
  ),
  outside('proxy_tlv_unique_id', 'What the proxy calls the connection.', (e) => tlv(e, tlvTypes.uniqueId)),
]
