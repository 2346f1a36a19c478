{
  description = "A catalogue of classic learning problems in pure numpy";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ];
      forEach = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
      # A problem needs numpy; its pictures the next three; `python3 -m tools` the rest.
      python =
        pkgs:
        pkgs.python3.withPackages (
          packages: with packages; [
            numpy
            matplotlib
            pillow
            imageio
            typer
            rich
            jinja2
            pydantic
            pytest
            pytest-xdist
            hypothesis
            pyyaml
            ale-py
          ]
        );
    in
    {
      # nix develop: a shell in which `python3 flip_flop.py` and `python3 -m tools` work.
      devShells = forEach (pkgs: {
        default = pkgs.mkShell {
          packages = [
            (python pkgs)
            pkgs.mdbook
            pkgs.ruff
          ];
          OMP_NUM_THREADS = "1";
        };
      });

      # nix run . -- --seed 0: the first problem of `make demo`.
      apps = forEach (pkgs: {
        default = {
          type = "app";
          program = "${pkgs.writeShellScript "flip-flop" ''exec ${python pkgs}/bin/python3 ${self}/flip-flop/flip_flop.py "$@"''}";
        };
      });
    };
}
