#!/bin/sh
# Images of layers, as container engines keep them: built step by step on overlays, committed, compared, run.
set -u

store=$PWD/store
images=$store/images
layers=$store/layers

new_layer() {
    count=$(($(ls "$layers" | wc -l) + 1))
    layer=$(printf 'layer%02d' $count)
    mkdir "$layers/$layer" "$layers/$layer/diff" "$layers/$layer/work"
    echo "$layer"
}

# lower IMAGE: its layers as an option, the topmost first.
lower() {
    result=
    for l in $(cat "$images/$1"); do
        result="$layers/$l/diff${result:+:$result}"
    done
    echo "$result"
}

mount_image() {
    image=$1 layer=$2 target=$3
    mount -t overlay -o "lowerdir=$(lower "$image"),upperdir=$layers/$layer/diff,workdir=$layers/$layer/work" \
        "$image" "$target"
}

# build NEW OLD COMMAND: an image with one layer more.
build() {
    new=$1 old=$2 command=$3
    layer=$(new_layer)
    mkdir -p merged
    if [ "$old" = scratch ]; then
        mount --bind "$layers/$layer/diff" merged
    else
        mount_image "$old" "$layer" merged || return
    fi
    (cd merged && eval "$command")
    status=$?
    umount merged
    if [ $status -ne 0 ]; then
        echo "build of $new failed with $status"
        rm -r "${layers:?}/$layer"
        return $status
    fi
    {
        [ "$old" = scratch ] || cat "$images/$old"
        echo "$layer"
    } >"$images/$new"
    echo "built $new: $(wc -l <"$images/$new") layers"
}

kind() {
    if [ -h "$1" ]; then echo "link to $(readlink "$1")"
    elif [ -c "$1" ]; then echo whiteout
    elif [ -d "$1" ]; then echo directory
    elif [ -f "$1" ]; then echo "file: $(head -n 1 "$1")"
    fi
}

show_layers() {
    for l in $(cat "$images/$1"); do
        echo "  $l"
        (cd "$layers/$l/diff" && find . -mindepth 1 | sort | while read -r f; do
            echo "    ${f#./} ($(kind "$f"))"
        done)
    done
}

# run IMAGE COMMAND: in a namespace, on a layer that is thrown away.
run() {
    layer=$(new_layer)
    export image=$1 layer command=$2 options
    options="lowerdir=$(lower "$1"),upperdir=$layers/$layer/diff,workdir=$layers/$layer/work"
    unshare -m sh -c 'mount -t overlay -o "$options" "$image" merged && cd merged && eval "$command"'
    echo "  exit $?"
    rm -rf "${layers:?}/$layer"
}

mkdir -p "$images" "$layers" merged
build base scratch 'mkdir -p bin etc var/log; echo v1 >etc/version; echo tool >bin/tool; ln -s tool bin/alias'
build app base 'echo app >bin/app; echo v2 >etc/version; rm bin/alias; mkdir etc/app; echo conf >etc/app/conf'
build broken app 'echo x >bin/x; rm bin/nothing'
build slim app 'rm -r etc/app var; mkdir var; echo fresh >var/file'
build renamed slim 'mv bin/app bin/application; mv etc/version etc/release; chmod 700 bin; ln bin/tool bin/hard'
build renamed2 slim 'mv var var2'
for image in base app slim renamed; do
    echo "$image"
    show_layers $image
done

echo "running"
run app 'cat etc/version etc/app/conf; ls bin; rm -r etc; ls; exit 3'
run slim 'find . -mindepth 1 | sort; cat var/file; test -e etc/app || echo "no etc/app"'
run renamed 'ls bin etc; cat etc/release; stat -c %a bin; stat -c %h bin/tool; echo more >>bin/hard; cat bin/tool'
run base 'cat etc/version; ls bin; readlink bin/alias; cat bin/alias'
ls merged "$layers"

echo "comparing"
mkdir left right
mount -t overlay -o "lowerdir=$(lower app)" left left
mount -t overlay -o "lowerdir=$(lower slim)" right right
diff -r left right
echo "diff: $?"
touch left/file
echo "touch: $?"
findmnt -n -o TARGET,FSTYPE,SOURCE left | sed "s,$PWD/,,"
umount left right
rm -r store merged left right
ls
