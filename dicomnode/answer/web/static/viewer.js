// The review viewer. Two canvases lie over each other: the ground shows the fixed image with what is laid over it, the
// top one shows the moved image alone, for swipe, checkerboard and side by side. Both have one cross.
"use strict";

(() => {
  const MODES = ["overlay", "fixed", "moved", "contours", "checkerboard", "swipe", "fused", "error", "side"];
  const NEEDS = { contours: "edges", fused: "fused", error: "error" };
  const WARM = { overlay: 1, contours: 1 };
  const COLOURS = { moved: "hot", moving: "hot", edges: "warm", error: "turbo", fused: "gray" };
  const VIEWS = { axial: 0, coronal: 1, sagittal: 2, multi: 3, render: 4 };
  const TOGETHER = { "2d": true, "3d": true, zoomPan: true, sliceType: true };

  class Viewer {
    constructor(element) {
      this.element = element;
      this.base = element.dataset.base;
      this.position = element.dataset.position;
      this.kinds = new Set(element.dataset.kinds.split(" "));
      this.mode = "overlay";
      this.loaded = new Map();
      this.stage = element.querySelector(".stage");
      this.readout = element.querySelector(".readout");
      this.before = element.querySelector(".before");
      this.opacity = element.querySelector(".opacity");
      this.swipe = element.querySelector(".swipe");
      this.view = element.querySelector(".view");
      this.slice = element.querySelector(".slice");
      this.places = { fixed: null, moving: null };
      this.pairs = [];
    }

    async start() {
      this.listen();
      const wanted = new URLSearchParams(location.search).has("pictures");
      if (wanted || !window.niivue || !document.createElement("canvas").getContext("webgl2")) {
        this.showPictures(wanted ? "" : "This browser draws no WebGL; these are pictures of the slices.");
        return;
      }
      try {
        await this.startDrawing();
      } catch (error) {
        this.showPictures(`The images could not be drawn (${error.message}); these are pictures of the slices.`);
      }
    }

    async startDrawing() {
      this.ground = this.drawing(".ground");
      this.top = this.drawing(".top");
      await this.ground.attachToCanvas(this.element.querySelector(".ground"));
      await this.top.attachToCanvas(this.element.querySelector(".top"));
      await this.ground.loadVolumes([this.volume("fixed", 1), this.volume("moved", 0.5)]);
      this.loaded.set("fixed", 0).set("moved", 1);
      await this.top.loadVolumes([this.volume("moved", 1, "gray")]);
      this.topShows = "moved";
      for (const drawing of [this.ground, this.top]) {
        drawing.setRadiologicalConvention(true);
        drawing.setSliceMM(true);
      }
      this.link();
      this.ground.onLocationChange = (data) => this.located("fixed", data);
      this.top.onLocationChange = (data) => this.located("moving", data);
      this.ground.setSliceType(VIEWS.multi);
      this.top.setSliceType(VIEWS.multi);
      await this.show();
      this.element.dataset.ready = "yes";
    }

    drawing() {
      return new niivue.Niivue({
        backColor: [0, 0, 0, 1],
        crosshairColor: [0.3, 0.9, 0.5, 0.8],
        crosshairWidth: 0.3,
        crosshairWidthUnit: "percent",
        crosshairGap: 6,
        showAllOrientationMarkers: true,
        fontColor: [1, 1, 1, 1],
        show3Dcrosshair: true,
        isColorbar: false,
        isOrientationTextVisible: true,
        dragAndDropEnabled: false,
        loadingText: "",
        logLevel: "error",
        multiplanarShowRender: 1,
        isResizeCanvas: true,
      });
    }

    link() {
      this.ground.broadcastTo(this.top, TOGETHER);
      this.top.broadcastTo(this.ground, TOGETHER);
    }

    unlink() {
      this.ground.broadcastTo([], TOGETHER);
      this.top.broadcastTo([], TOGETHER);
    }

    volume(kind, opacity, colormap) {
      return {
        url: `${this.base}/volumes/${this.position}/${kind}.nii.gz`,
        name: `${kind}.nii.gz`,
        colormap: colormap || COLOURS[kind] || "gray",
        opacity,
        trustCalMinMax: true,
        colorbarVisible: kind === "error",
      };
    }

    async need(kind) {
      if (!this.loaded.has(kind)) {
        await this.ground.addVolumeFromUrl(this.volume(kind, 0));
        this.loaded.set(kind, this.ground.volumes.length - 1);
      }
    }

    async needOnTop(kind) {
      if (this.topShows === kind) {
        return;
      }
      const native = this.mode === "mark";
      const volumes = [this.volume(kind, 1, "gray")];
      if (kind === "moving" && !native) {
        volumes.unshift(this.volume("fixed", 0));
      }
      await this.top.loadVolumes(volumes);
      this.topShows = native ? "native" : kind;
    }

    async show() {
      const mode = this.mode;
      for (const button of this.element.querySelectorAll("[data-mode]")) {
        if (button.tagName === "BUTTON") {
          button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
        }
      }
      this.stage.dataset.mode = mode;
      if (!this.ground) {
        this.showSlice();
        return;
      }
      const moved = this.before.checked && this.kinds.has("moving") ? "moving" : "moved";
      const extra = NEEDS[mode];
      await this.need(moved);
      if (extra) {
        await this.need(extra);
      }
      const opacity = Number(this.opacity.value) / 100;
      const over = { overlay: opacity, moved: 1 }[mode] || 0;
      for (const [kind, index] of this.loaded) {
        let value = 0;
        if (kind === "fixed") {
          value = mode === "moved" ? 0 : 1;
        } else if (kind === moved) {
          value = over;
        } else if (kind === extra) {
          value = mode === "error" ? opacity : 1;
        }
        this.ground.volumes[index].opacity = value;
      }
      const shown = this.ground.volumes[this.loaded.get(moved)];
      shown.colormap = mode === "moved" ? "gray" : "hot";
      this.ground.opts.isColorbar = mode === "error";
      this.ground.updateGLVolume();
      if (["swipe", "checkerboard", "side"].includes(mode)) {
        await this.needOnTop(moved);
      }
      this.resize();
      this.ground.drawScene();
      this.top.drawScene();
      this.say();
    }

    resize() {
      for (const drawing of [this.ground, this.top]) {
        drawing.resizeListener();
      }
    }

    async setMode(mode) {
      if (NEEDS[mode] && !this.kinds.has(NEEDS[mode])) {
        this.readout.textContent = `This case has no ${mode} to show.`;
        return;
      }
      const was = this.mode;
      this.mode = mode;
      if (mode === "swipe" && ["multi", "render"].includes(this.view.value)) {
        this.view.value = "axial"; // one curtain over several planes would compare nothing
        this.view.dispatchEvent(new Event("change"));
      }
      if (this.ground && was === "mark" && mode !== "mark") {
        this.topShows = "";
        this.link();
      }
      await this.show();
    }

    async mark() {
      if (!this.ground) {
        return;
      }
      this.mode = "mark";
      this.unlink();
      await this.needOnTop("moving");
      await this.show();
      this.readout.textContent = "Left: the fixed image. Right: the moving one in its own coordinates. Point at the same place in both.";
    }

    located(kind, data) {
      this.places[kind] = [-data.mm[0], -data.mm[1], data.mm[2]];
      if (kind === "fixed") {
        this.values = data.values;
        this.say();
      }
    }

    say() {
      const place = this.places.fixed;
      if (!place) {
        this.readout.textContent = "Ready.";
        return;
      }
      const [x, y, z] = place.map((value) => value.toFixed(1));
      const numbers = (this.values || [])
        .filter((value, index) => this.ground.volumes[index] && this.ground.volumes[index].opacity > 0)
        .map((value) => `${value.name.replace(".nii.gz", "")} ${Number(value.value).toPrecision(4)}`);
      this.readout.textContent = `left ${x}, back ${y}, up ${z} mm · ${numbers.join(" · ")}`;
    }

    showPictures(sentence) {
      this.stage.hidden = true;
      this.element.querySelector(".pictures").hidden = false;
      for (const name of ["swipe", "side"]) {
        this.element.querySelector(`button[data-mode="${name}"]`).hidden = true;
      }
      this.swipe.parentElement.hidden = true;
      for (const name of ["multi", "render"]) {
        this.view.querySelector(`[value="${name}"]`).remove();
      }
      this.view.value = "axial";
      this.readout.textContent = sentence;
      this.showSlice();
      this.element.dataset.ready = "pictures";
    }

    showSlice() {
      const query = new URLSearchParams({
        plane: this.view.value,
        mode: this.mode,
        at: String(Number(this.slice.value) / 100),
        opacity: String(Number(this.opacity.value) / 100),
        before: String(this.before.checked),
      });
      this.element.querySelector(".pictures img").src = `${this.base}/slices/${this.position}.png?${query}`;
      const marks = this.element.querySelectorAll(".pictures .side-mark");
      const [left, right] = this.view.value === "sagittal" ? ["A", "P"] : ["R", "L"];
      marks[0].textContent = left;
      marks[1].textContent = right;
    }

    listen() {
      for (const button of this.element.querySelectorAll("button[data-mode]")) {
        button.addEventListener("click", () => this.setMode(button.dataset.mode));
      }
      this.before.addEventListener("change", () => this.show());
      this.opacity.addEventListener("input", () => this.show());
      this.slice.addEventListener("input", () => this.showSlice());
      this.swipe.addEventListener("input", () => {
        this.stage.style.setProperty("--swipe", `${this.swipe.value}%`);
        if (this.mode !== "swipe") {
          this.setMode("swipe");
        }
      });
      this.view.addEventListener("change", () => {
        if (this.ground) {
          this.ground.setSliceType(VIEWS[this.view.value]);
          this.top.setSliceType(VIEWS[this.view.value]);
        } else {
          this.showSlice();
        }
      });
      window.addEventListener("resize", () => this.ground && this.resize());
      this.stage.addEventListener("keydown", (event) => this.step(event));
      const tools = this.element.querySelector(".landmark-tools");
      if (tools) {
        tools.querySelector(".mark").addEventListener("click", () => this.mark());
        tools.querySelector(".add-pair").addEventListener("click", () => this.addPair());
      }
    }

    step(event) {
      const steps = { ArrowLeft: [-1, 0, 0], ArrowRight: [1, 0, 0], ArrowUp: [0, 1, 0], ArrowDown: [0, -1, 0], PageUp: [0, 0, 1], PageDown: [0, 0, -1] };
      if (this.ground && steps[event.key]) {
        const [x, y, z] = steps[event.key];
        this.ground.moveCrosshairInVox(x, y, z);
        event.preventDefault();
      }
    }

    key(name) {
      if (/^[1-9]$/.test(name)) {
        this.setMode(MODES[Number(name) - 1]);
      } else if (name === "b") {
        this.before.checked = !this.before.checked;
        this.show();
      } else if (name === "[" || name === "]") {
        this.opacity.value = Number(this.opacity.value) + (name === "]" ? 10 : -10);
        this.show();
      } else if (name === "v") {
        this.view.selectedIndex = (this.view.selectedIndex + 1) % this.view.options.length;
        this.view.dispatchEvent(new Event("change"));
      } else if (name === "," || name === ".") {
        this.slice.value = Number(this.slice.value) + (name === "." ? 2 : -2);
        if (this.ground) {
          this.ground.moveCrosshairInVox(0, 0, name === "." ? 1 : -1);
        } else {
          this.showSlice();
        }
      } else {
        return false;
      }
      return true;
    }

    addPair() {
      if (this.mode !== "mark" || !this.places.fixed || !this.places.moving) {
        this.readout.textContent = "Pick a place in both images first.";
        return;
      }
      this.pairs.push({ fixed: this.places.fixed, moving: this.places.moving });
      this.tellPairs();
    }

    tellPairs() {
      const list = this.element.querySelector(".landmark-list");
      list.replaceChildren(
        ...this.pairs.map((pair, index) => {
          const item = document.createElement("li");
          const text = (place) => place.map((value) => value.toFixed(1)).join(", ");
          item.textContent = `${text(pair.fixed)} is ${text(pair.moving)} `;
          const button = document.createElement("button");
          button.type = "button";
          button.textContent = "Remove";
          button.addEventListener("click", () => {
            this.pairs.splice(index, 1);
            this.tellPairs();
          });
          item.append(button);
          return item;
        }),
      );
      const field = document.getElementById("landmarks");
      field.value = this.pairs.length ? JSON.stringify(this.pairs) : "";
      document.getElementById("landmark-count").textContent = this.pairs.length ? `${this.pairs.length} landmarks` : "no landmarks";
    }
  }

  const viewers = [...document.querySelectorAll(".viewer")].map((element) => new Viewer(element));
  window.reviewers = viewers;
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=range], [type=checkbox]), textarea, select");
    if (typing || event.ctrlKey || event.altKey || event.metaKey || !viewers.length) {
      return;
    }
    const nearest = viewers.find((one) => one.element.contains(document.activeElement)) || viewers[0];
    if (nearest.key(event.key)) {
      event.preventDefault();
    }
  });
  for (const viewer of viewers) {
    viewer.start();
  }
})();
