// Tries to read from a server, or to change something there, in every way that a page has. Gives what it could read, and
// what it had to try: `{read: [how …], tried: N}`. `secret` is a word that only the server's data holds.
async (server, paths, secret) => {
  const read = [];
  let tried = 0;
  const note = (how) => read.push(how);
  const patiently = (work) => Promise.race([work, new Promise((done) => setTimeout(done, 5000))]);

  const fetched = async (path, how, init) => {
    tried += 1;
    try {
      const answer = await fetch(server + path, { cache: "no-store", ...init });
      const text = await answer.text();
      if (answer.ok) note(`${how} ${path} is answered with ${answer.status}`);
      if (text.includes(secret)) note(`${how} ${path} has the secret`);
    } catch {}
  };

  // An element that loads something says so.
  const loaded = (tag, path, name, more) => {
    tried += 1;
    return new Promise((done) => {
      const element = Object.assign(document.createElement(tag), more);
      element.onload = () => { note(`<${tag}> ${path} is loaded`); done(); };
      element.onerror = done;
      element[name] = server + path;
      document.head.append(element);
    });
  };

  const framed = (path) => {
    tried += 1;
    return new Promise((done) => {
      const frame = document.createElement("iframe");
      frame.onload = () => {
        try {
          if (frame.contentDocument.documentElement.innerText.includes(secret)) note(`<iframe> ${path} has the secret`);
        } catch {}
        done();
      };
      frame.src = server + path;
      document.body.append(frame);
    });
  };

  // A form needs no permission to be sent; what comes back goes into a frame.
  const posted = (path, type) => {
    tried += 1;
    return new Promise((done) => {
      const frame = Object.assign(document.createElement("iframe"), { name: `frame${tried}` });
      document.body.append(frame);
      const form = Object.assign(document.createElement("form"), {
        action: server + path, method: "POST", enctype: type, target: frame.name,
      });
      form.append(Object.assign(document.createElement("input"), { name: '{"password":"', value: '"}' }));
      document.body.append(form);
      frame.onload = () => {
        try {
          if (frame.contentDocument.documentElement.innerText.includes(secret)) note(`<form> ${path} has the secret`);
        } catch {}
        done();
      };
      form.submit();
    });
  };

  const socket = (path) => {
    tried += 1;
    return new Promise((done) => {
      const socket = new WebSocket(server.replace(/^http/, "ws") + path);
      socket.onopen = () => { note(`WebSocket ${path} is open`); socket.close(); done(); };
      socket.onerror = done;
    });
  };

  for (const path of paths) {
    await patiently(fetched(path, "GET", { credentials: "include" }));
    await patiently(fetched(path, "GET in the open", { mode: "no-cors" }));
    await patiently(fetched(path, "POST", { method: "POST", body: "{}" }));
    await patiently(fetched(path, "DELETE", { method: "DELETE" }));
    await patiently(loaded("script", path, "src"));
    await patiently(loaded("img", path, "src"));
    await patiently(loaded("link", path, "href", { rel: "stylesheet" }));
  }
  await patiently(fetched("/api/v1/stats/current", "GET as JSON", { headers: { "content-type": "application/json" } }));
  await patiently(framed("/"));
  for (const path of ["/", "/login", "/logout", "/api/v1/auth/login", "/api/v1/auth/logout"]) {
    await patiently(posted(path, "text/plain"));
    await patiently(posted(path, "application/x-www-form-urlencoded"));
    navigator.sendBeacon(server + path, "{}");
  }
  await patiently(socket("/ws"));
  return { read, tried };
}
