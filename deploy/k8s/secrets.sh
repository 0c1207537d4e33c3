#!/bin/sh
# Writes the Secrets of an installation to standard output, with new passwords, keys and certificates:
#   deploy/k8s/secrets.sh | kubectl --namespace dialtone apply -f -
# Kept nowhere else: run again, it replaces all of them, and what runs has to be restarted. The authority that signs
# the servers' certificates is not kept either.
set -eu
namespace=${NAMESPACE:-dialtone}
days=${DAYS:-825}
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder"

# A letter first: the broker reads passwords from its environment as it reads its configuration, digits as numbers.
random() { printf %s "k$(openssl rand -hex 24)"; }

openssl ecparam -name prime256v1 -genkey -noout -out ca.key
openssl req -x509 -new -key ca.key -days "$days" -subj "/CN=dialtone $namespace" -out ca.crt \
    -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign"

certificate() { # certificate NAME USAGE HOST...
    name=$1 usage=$2
    shift 2
    names="DNS:localhost,IP:127.0.0.1"
    for host in "$@"; do names="$names,DNS:$host,DNS:$host.$namespace,DNS:$host.$namespace.svc"; done
    names="$names,DNS:$1.$namespace.svc.cluster.local"
    openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$name.key"
    openssl req -new -key "$name.key" -subj "/CN=$name" -out "$name.csr"
    printf 'subjectAltName=%s\nextendedKeyUsage=%s\nkeyUsage=critical,digitalSignature\n' "$names" "$usage" > "$name.ext"
    openssl x509 -req -in "$name.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days "$days" \
        -extfile "$name.ext" -out "$name.crt" 2> "$name.log" || { cat "$name.log" >&2; exit 1; }
}

field() { # field KEY, the value on standard input
    printf '  %s: %s\n' "$1" "$(openssl base64 -A)"
}

secret() { # secret NAME, fields on standard input
    printf -- '---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\n  namespace: %s\ndata:\n' "$1" "$namespace"
    cat
}

tls_secret() { # tls_secret NAME
    { field ca.crt < ca.crt; field tls.crt < "$1.crt"; field tls.key < "$1.key"; } | secret "$1-tls"
}

# NATS servers are each other's clients; the others are nobody's.
certificate nats serverAuth,clientAuth nats nats-0.nats nats-1.nats nats-2.nats
certificate valkey serverAuth valkey
certificate postgres serverAuth postgres
for name in nats valkey postgres; do tls_secret "$name"; done
field ca.crt < ca.crt | secret servers-ca

for user in gateway vad-asr llm moshi tts operator; do
    random | field password | secret "nats-$user"
done

redis=$(random) superuser=$(random) owner=$(random) gateway=$(random)
printf %s "$redis" | field password | secret valkey
{
    printf %s "$superuser" | field superuser
    printf %s "$owner" | field owner
    printf %s "$gateway" | field gateway
} | secret postgres
database="postgres:5432/dialtone?ssl=verify-full"
{
    printf %s "rediss://gateway:$redis@valkey:6379/0?ssl_ca_certs=/etc/dialtone/ca/ca.crt" | field redis-url
    printf %s "postgresql+asyncpg://dialtone_gateway:$gateway@$database" | field database-url
} | secret gateway-stores
printf %s "postgresql+asyncpg://dialtone:$owner@$database" | field database-url | secret migrate
printf %s "${API_KEYS:-default:$(random)}" | field api-keys | secret gateway-keys
