#!/usr/bin/env bash
# deploy.sh <service> <image by digest>: deploys it, asks whether it answers, and goes back to what ran before if not.
# REGISTRY, RESOURCE_GROUP and STORE_ADDRESS (https://…, the gateway) say where; PATIENCE_SECONDS how long a start may take.
set -euo pipefail
: "${REGISTRY:?}" "${RESOURCE_GROUP:?}" "${STORE_ADDRESS:?}"
service="$1" image="$2" patience="${PATIENCE_SECONDS:-300}" pause="${PAUSE_SECONDS:-5}"
if [[ ! "$image" =~ /store/$service@sha256:[0-9a-f]{64}$ ]]; then
    echo "'$image' is no image of $service by digest" >&2
    exit 1
fi
if [ "${image%%/*}" != "$(az acr show --name "$REGISTRY" --query loginServer --output tsv)" ]; then
    echo "'$image' is not from $REGISTRY" >&2
    exit 1
fi

app() { az containerapp show --name "$service" --resource-group "$RESOURCE_GROUP" --query "$1" --output tsv; }

# The parameters file reads the environment, as it does under azd.
put() {
    env "SERVICE_${service^^}_IMAGE_NAME=$1" az deployment group create --name "$service-${1: -12}" \
        --resource-group "$RESOURCE_GROUP" --parameters "deploy/azure/$service.bicepparam" --output none
}

# The readiness probe asks the database, so a healthy revision has found it.
ready() {
    local revision state deadline=$((SECONDS + patience))
    while [ "$SECONDS" -lt "$deadline" ]; do
        revision="$(app properties.latestRevisionName)"
        state="$(az containerapp revision show --name "$service" --resource-group "$RESOURCE_GROUP" \
            --revision "$revision" --output tsv \
            --query "join(' ', [properties.runningState || '?', properties.healthState || '?'])")"
        echo "$revision: $state"
        [[ "$state" == Running*" Healthy" ]] && return 0
        sleep "$pause"
    done
    return 1
}

# Through the gateway, without a token: that the service refuses a stranger is an answer, too.
answers() {
    local path expected said
    case "$service" in
        catalog | gateway) path='/api/products?limit=1' expected=200 ;;
        orders) path=/api/orders expected=401 ;;
        customers) path=/api/customers/00000000-0000-4000-8000-000000000000 expected=401 ;;
        functions) path=/api/customer-data/00000000-0000-4000-8000-000000000000 expected=401 ;;
    esac
    said="$(curl --silent --show-error --max-time 10 --retry 5 --output /dev/null --write-out '%{http_code}' \
        "$STORE_ADDRESS$path")"
    echo "GET $path: $said"
    [ "$said" = "$expected" ]
}

before="$(app 'properties.template.containers[0].image' 2>/dev/null || true)"
if put "$image" && ready && answers; then
    echo "$service runs $image; before, it ran ${before:-nothing}"
    exit 0
fi
if [ -n "$before" ]; then
    echo "$service does not answer: back to $before" >&2
    put "$before" && ready
fi
exit 1
