// Runs with the packages of .witnesses/node: node-routeros reads routers. Knows nothing of mtd.
//
// In: {"routers": [{name, host, port, username, password, tls, certificate}], "empty": path or null}.
// Out: {router: {start_us, end_us, interfaces, resource, identity, stream, stream_start_us, stream_end_us}},
// or, if a path is given, {router: rows of the path}.
'use strict';

const { RouterOSAPI } = require('node-routeros');

const READINGS = 3;

function nowUs() {
    return Math.floor((performance.timeOrigin + performance.now()) * 1000);
}

async function connect(router) {
    const api = new RouterOSAPI({
        host: router.host,
        port: router.port,
        user: router.username,
        password: router.password,
        timeout: 20,
        // The one certificate that is trusted has no name of a host.
        tls: router.tls ? { ca: router.certificate, checkServerIdentity: () => undefined } : undefined,
    });
    await api.connect();
    return api;
}

// Some readings of a command that goes on, which is then cancelled.
function watch(api) {
    return new Promise((resolve, reject) => {
        const readings = [];
        api.stream(['/interface/monitor-traffic', '=interface=ether1', '=interval=0.2'], (error, row, stream) => {
            if (error) {
                reject(error);
            } else if (readings.length < READINGS && !Array.isArray(row)) {
                readings.push(row); // an empty array says that nothing came for a while
                if (readings.length === READINGS) stream.stop().then(() => resolve(readings), reject);
            }
        });
    });
}

async function read(router) {
    const api = await connect(router);
    const startUs = nowUs();
    // All at once on one session.
    const [interfaces, resource, identity, some, refused] = await Promise.all([
        api.write('/interface/print'),
        api.write('/system/resource/print'),
        api.write('/system/identity/print'),
        api.write('/interface/print', ['=.proplist=name,type', '?name=ether1', '?name=bridge1', '?#|']),
        api.write('/interface/paint').catch((error) => error.message),
    ]);
    const endUs = nowUs();
    const streamStartUs = nowUs();
    const stream = await watch(api);
    const streamEndUs = nowUs();
    const after = await api.write('/system/identity/print');
    await api.close();
    return {
        start_us: startUs,
        end_us: endUs,
        stream_start_us: streamStartUs,
        stream_end_us: streamEndUs,
        interfaces,
        resource,
        identity,
        some,
        refused,
        stream,
        after,
    };
}

async function readEmpty(router, path) {
    const api = await connect(router);
    const rows = await api.write(path);
    await api.close();
    return rows;
}

async function main() {
    const asked = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
    const answers = await Promise.all(
        asked.routers.map((router) => (asked.empty ? readEmpty(router, asked.empty) : read(router)))
    );
    const found = Object.fromEntries(asked.routers.map((router, place) => [router.name, answers[place]]));
    process.stdout.write(JSON.stringify(found), () => process.exit(0));
}

main();
