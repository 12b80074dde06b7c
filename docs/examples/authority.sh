#!/bin/sh
# Stands in for a time-stamp authority, so that a time-stamp can be tried without a network:
#
#     sh authority.sh QUERY REPLY
#
# It makes a key of its own beside the reply (authority.pem is its certificate) and answers an
# RFC 3161 query. Such a stamp proves nothing: take one from an authority that others trust.
set -e
query=$1 reply=$2
cat > authority.cnf <<'CNF'
[tsa]
default_tsa = invented
[invented]
serial = authority.serial
crypto_device = builtin
signer_cert = authority.pem
signer_key = authority.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
CNF
echo 01 > authority.serial
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=Authority (invented)" \
  -addext extendedKeyUsage=critical,timeStamping -addext keyUsage=critical,digitalSignature \
  -keyout authority.key -out authority.pem 2> /dev/null
openssl ts -reply -config authority.cnf -queryfile "$query" -out "$reply" 2> /dev/null
