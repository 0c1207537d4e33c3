#!/bin/sh
# Run once, on an empty volume: the owner of the tables, who migrates them, and the gateway, who writes rows.
set -eu
psql --username postgres --dbname dialtone --set ON_ERROR_STOP=1 --quiet \
    --set owner="$OWNER_PASSWORD" --set gateway="$GATEWAY_PASSWORD" << 'SQL'
CREATE ROLE dialtone LOGIN PASSWORD :'owner';
CREATE ROLE dialtone_gateway LOGIN PASSWORD :'gateway';
REVOKE ALL ON DATABASE dialtone FROM PUBLIC;
GRANT CONNECT ON DATABASE dialtone TO dialtone, dialtone_gateway;
GRANT CREATE, USAGE ON SCHEMA public TO dialtone;
GRANT USAGE ON SCHEMA public TO dialtone_gateway;
ALTER DEFAULT PRIVILEGES FOR ROLE dialtone IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO dialtone_gateway;
ALTER DEFAULT PRIVILEGES FOR ROLE dialtone IN SCHEMA public GRANT USAGE ON SEQUENCES TO dialtone_gateway;
SQL
